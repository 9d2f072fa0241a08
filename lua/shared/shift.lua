-- shift: moves named tasks from state to state as an operator or their holder asks; pause, resume and ignore differ in
-- which moves are legal. ARGV for each task: token, fence ("" "" = an operator), then actor, message, manual time.
-- choose(state, byHolder) answers the state letter after, the same letter when there is nothing to do, or nil when it is not
-- legal. Answers in the order of the tasks: [OK state] | [ILLEGAL state] | [STALE] | [GONE].
-- Letters with a lease: r running, h paused while its holder keeps the lock.
local function shift(event, choose)
  local actor, message = ARGV[#ARGV - 2], ARGV[#ARGV - 1]
  local kinds, records = {}, {}
  for i = 1, #KEYS - 2 do
    local r = redis.call('HMGET', KEYS[2 + i], 's', 'k', 'q', 't', 'g', 'd', 'c', 'w', 'L')
    records[i] = r
    if r[2] and not kinds[r[2]] then
      kinds[r[2]] = true
      kinds[#kinds + 1] = 'k:' .. r[2]
      kinds[#kinds + 1] = 'q:' .. r[2]
    end
  end
  local refusal, head = begin(kinds)
  if refusal then return refusal end
  local policies, flags = {}, {}
  for i = 1, #kinds, 2 do
    policies[string.sub(kinds[i], 3)] = head[4 + i]
    flags[string.sub(kinds[i], 3)] = head[5 + i] or '5'
  end
  local answers, moves, leave, enter, soon, seen = {}, {}, {}, {}, {}, {}
  for i = 1, #KEYS - 2 do
    local r, id = records[i], string.sub(KEYS[2 + i], #P + 3)
    local token, fence = ARGV[2 * i - 1], ARGV[2 * i]
    local from = r[1]
    if not from then
      answers[i] = {'GONE'}
    elseif token ~= '' and (r[4] ~= token or r[5] ~= fence) then
      answers[i] = {'STALE'}
    else
      local to = choose(from, token ~= '')
      if to and to ~= from and not seen[id] then
        local score = now
        if to == 'q' then score = tonumber(r[6] or r[7])
        elseif to == 'r' or to == 'h' then
          score = tonumber(redis.call('ZSCORE', P .. from .. ':' .. r[2], id) or now)
          local timeout = to == 'r' and policyTimeout(policies[r[2]]) or 0
          if timeout > 0 then score = math.min(score, now + timeout) end
        end
        moves[#moves + 1] = {id = id, key = KEYS[2 + i], from = from, to = to, kind = r[2], links = r[9], score = score}
        drop(leave, from == 'q' and P .. 'q:' .. (r[3] or '5') .. ':' .. r[2] or P .. from .. ':' .. r[2], id)
        add(enter, to == 'q' and P .. 'q:' .. (r[3] or '5') .. ':' .. r[2] or P .. to .. ':' .. r[2], score, id)
        if to == 'q' and score <= now + 1000000 then soon[r[2]] = (soon[r[2]] or 0) + 1 end
        note(event, r[2], id, from, token ~= '' and r[8] or nil)
        moves[#moves].actor = token ~= '' and r[8] or actor
      end
      seen[id] = true
      if to then answers[i] = {'OK', to} else answers[i] = {'ILLEGAL', from} end
    end
  end
  removeAll(leave)
  redis.call('HDEL', meta, '')  -- a removal in any case, see tick in header.lua
  for i = 1, #moves do
    local m = moves[i]
    redis.call('HSET', m.key, 's', m.to, 'u', at, 'a', '1')
    if m.to == 'h' then
      redis.call('HDEL', m.key, 'to')
      if not string.find(flags[m.kind], 'h', 1, true) then
        flags[m.kind] = flags[m.kind] .. 'h'
        redis.call('HSET', meta, 'q:' .. m.kind, flags[m.kind])
      end
    elseif m.to == 'r' then
      local timeout = policyTimeout(policies[m.kind])
      if timeout > 0 then redis.call('HSET', m.key, 'to', now + timeout) end
    end
    if m.links then moved(m.id, m.kind, m.links, m.from, m.to, m.to == 'q' and int(m.score) or at) end
    logLine(m.id, event, m.actor, message)
  end
  addAll(enter)
  local unblocked = settle()
  tick()
  emit()
  wakeAll(soon)
  wakeAll(unblocked)
  return {'OK', at, answers}
end
