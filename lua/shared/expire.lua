-- expire: takes back tasks whose lease ran out, running ones and those that their holder paused. Reading and writing are
-- apart, because every script reads first. readExpired(kinds, policies, flags, limit) fills `expired`; writeExpired() moves
-- each to ready with a delay, to exhausted (or ignored, as the policy says) when its attempts are used up, or to cancelled
-- when that was asked for. A lease that ran out is a crash, counted apart; past the attempt's time-out it is told so.
-- flags are the header's fields q:<kind>; only a kind with the letter h ever had a task paused by its holder.
local expired = {}
local expiredMore = false

local function readExpiredIndex(letter, kind, policy, limit)
  local ids = redis.call('ZRANGEBYSCORE', P .. letter .. ':' .. kind, '-inf', at, 'LIMIT', 0, limit - #expired)
  for j = 1, #ids do
    local r = redis.call('HMGET', P .. 't:' .. ids[j], 's', 'n', 'x', 'g', 'b', 'w', 'q', 'l', 'X', 'to', 'L')
    expired[#expired + 1] = {
      id = ids[j], kind = kind, policy = policy, state = r[1], letter = letter, n = tonumber(r[2] or '0'),
      x = (r[3] or 0) + 1, fence = r[4] or '0', begun = r[5] or '0', worker = r[6] or '-', priority = r[7] or '5',
      limit = tonumber(r[8] or '0'), cancel = r[9], links = r[11], outcome = r[10] and tonumber(r[10]) <= now and 'timedOut' or 'crashed',
    }
  end
end

local function readExpired(kinds, policies, flags, limit)
  for i = 1, #kinds do
    if held then return end
    if #expired >= limit then
      expiredMore = true
      return
    end
    readExpiredIndex('r', kinds[i], policies[i], limit)
    if #expired < limit and string.find(flags[i], 'h', 1, true) then readExpiredIndex('h', kinds[i], policies[i], limit) end
  end
  if #expired >= limit then expiredMore = true end
end

local function writeExpired()
  local leave, enter, woken, policies = {}, {}, {}, {}
  for i = 1, #expired do drop(leave, P .. expired[i].letter .. ':' .. expired[i].kind, expired[i].id) end
  removeAll(leave)
  for i = 1, #expired do
    local e = expired[i]
    if e.state == e.letter then
      local policy = policies[e.policy] or parsePolicy(e.policy)
      policies[e.policy] = policy
      local limit = e.limit > 0 and e.limit or policy.attempts
      local due, crashes = nil, int(e.x)
      if e.cancel then
        e.to = 'c'
      elseif e.n >= limit then
        e.to = policy.over
      else
        e.to = 'q'
        e.due = now + backoffDelay(policy, e.id, e.x)
        due = int(e.due)
        redis.call('HSET', P .. 't:' .. e.id, 's', 'q', 'x', crashes, 'u', at, 'd', due)
        add(enter, P .. 'q:' .. e.priority .. ':' .. e.kind, due, e.id)
        if e.due <= now + 1000000 then woken[e.kind] = (woken[e.kind] or 0) + 1 end
      end
      if e.to ~= 'q' then
        redis.call('HSET', P .. 't:' .. e.id, 's', e.to, 'x', crashes, 'u', at)
        add(enter, P .. e.to .. ':' .. e.kind, at, e.id)
      end
      remember(e.id, e.n, e.fence, e.begun, e.outcome, e.worker, due or e.to == 'n' and '-n', '')
      if e.links then moved(e.id, e.kind, e.links, e.letter, e.to, due or at) end
      note('reaped', e.kind, e.id, e.to, e.worker)
    end
  end
  addAll(enter)
  return woken
end
