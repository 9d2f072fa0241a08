-- cancel: ends tasks that have not ended; a running one is asked to stop and ends when its holder answers or its lease runs out.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    1 reason, at most 64 bytes  2 actor  3 manual time, us, or ""
-- RETURNS OK now [CANCELLED | REQUESTED | GONE | state letter of a task that had ended otherwise ...] in the order of the tasks
-- EMITS   cancelled (detail: reason), or cancel-requested
-- COST    O(log n) a task, at most 500 tasks
-- WHY     the holder learns it at once on its wake channel, at the latest at its next renewal
-- @include clock
-- @include groups
-- @include events
-- @include holders
-- @include lines
local refusal = begin({})
if refusal then return refusal end
local answers, leave, enter, ended, asked, seen, workers = {}, {}, {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local key = KEYS[2 + i]
  local id = string.sub(key, #P + 3)
  local r = redis.call('HMGET', key, 's', 'k', 'q', 'X', 'w')
  if not r[1] then
    answers[i] = 'GONE'
  elseif r[1] == 'q' or r[1] == 'p' then
    answers[i] = 'CANCELLED'
    if not seen[id] then
      ended[#ended + 1] = key
      drop(leave, r[1] == 'p' and P .. 'p:' .. r[2] or P .. 'q:' .. (r[3] or '5') .. ':' .. r[2], id)
      add(enter, P .. 'c:' .. r[2], at, id)
      note('cancelled', r[2], id, ARGV[1])
    end
  elseif r[1] == 'r' or r[1] == 'h' then
    answers[i] = 'REQUESTED'
    if not r[4] and not seen[id] then
      asked[#asked + 1] = key
      workers[#workers + 1] = r[5]
      note('cancel-requested', r[2], id, ARGV[1], r[5])
    end
  else
    answers[i] = r[1] == 'c' and 'CANCELLED' or r[1]
  end
  seen[id] = true
end
removeAll(leave)
redis.call('HDEL', meta, '')  -- a removal in any case, see tick in shared/clock.lua
for i = 1, #ended do
  redis.call('HSET', ended[i], 's', 'c', 'u', at, 'cr', ARGV[1])
  logLine(string.sub(ended[i], #P + 3), 'cancelled', ARGV[2], ARGV[1])
end
for i = 1, #asked do
  redis.call('HSET', asked[i], 'X', at, 'cr', ARGV[1])
  logLine(string.sub(asked[i], #P + 3), 'cancel-requested', ARGV[2], ARGV[1])
end
addAll(enter)
tick()
emit()
tellHolders(workers)
return {'OK', at, answers}
