-- expire: takes back running tasks whose lease ran out. Reading and writing are apart, because every script reads first.
-- readExpired(kinds, policies, limit) fills `expired`; writeExpired() moves each to ready with a delay, to exhausted when
-- its attempts are used up, or to cancelled when that was asked for. A lease that ran out is a crash, counted apart.
local expired = {}
local expiredMore = false

local function readExpired(kinds, policies, limit)
  for i = 1, #kinds do
    if held then return end
    if #expired >= limit then
      expiredMore = true
      return
    end
    local kind = kinds[i]
    local ids = redis.call('ZRANGEBYSCORE', P .. 'r:' .. kind, '-inf', now, 'LIMIT', 0, limit - #expired)
    for j = 1, #ids do
      local r = redis.call('HMGET', P .. 't:' .. ids[j], 's', 'n', 'x', 'g', 'b', 'w', 'q', 'l', 'X')
      expired[#expired + 1] = {
        id = ids[j], kind = kind, policy = policies[i], state = r[1], n = tonumber(r[2] or '0'), x = tonumber(r[3] or '0') + 1,
        fence = r[4] or '0', begun = r[5] or '0', worker = r[6] or '-', priority = r[7] or '5', limit = tonumber(r[8] or '0'),
        cancel = r[9],
      }
    end
  end
  if #expired >= limit then expiredMore = true end
end

local function writeExpired()
  local leave, enter, woken = {}, {}, {}
  for i = 1, #expired do drop(leave, P .. 'r:' .. expired[i].kind, expired[i].id) end
  removeAll(leave)
  for i = 1, #expired do
    local e = expired[i]
    if e.state == 'r' then
      local policy = parsePolicy(e.policy)
      local limit = e.limit > 0 and e.limit or policy.attempts
      local due
      if e.cancel then
        e.to = 'c'
      elseif e.n >= limit then
        e.to = 'x'
      else
        e.to = 'q'
        due = now + backoffDelay(policy, e.id, e.x)
        e.due = due
        redis.call('HSET', P .. 't:' .. e.id, 's', 'q', 'x', e.x, 'u', now, 'd', due)
        add(enter, P .. 'q:' .. e.priority .. ':' .. e.kind, due, e.id)
        if due <= now + 1000000 then woken[e.kind] = (woken[e.kind] or 0) + 1 end
      end
      if e.to ~= 'q' then
        redis.call('HSET', P .. 't:' .. e.id, 's', e.to, 'x', e.x, 'u', now)
        add(enter, P .. e.to .. ':' .. e.kind, now, e.id)
      end
      remember(e.id, e.n, e.fence, e.begun, 'crashed', e.worker, due, '')
      note('reaped', e.kind, e.id, e.to, e.worker)
    end
  end
  addAll(enter)
  return woken
end
