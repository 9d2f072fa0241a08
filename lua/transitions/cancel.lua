-- cancel: ends tasks that have not ended; a running one is asked to stop and ends when its holder answers or its lease runs out.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    1 reason, at most 64 bytes  2 actor  3 signal that a running program is to get, 1-64, or ""
--         4 tag: its tasks that have not ended, in place of KEYS 3..; or ""  5 most tasks of the tag (1-500)
--         6 so many of the tag's held tasks were asked before  7 manual time, us, or ""
-- RETURNS OK now [CANCELLED | REQUESTED | GONE | state letter of a task that had ended otherwise ...] in the order of the tasks,
--         more(0|1): of the tag, how many were asked that had not been before
-- EMITS   cancelled (detail: reason), or cancel-requested; unblocked, parent-failed for those that waited for them
-- COST    O(log n) a task, at most 500 tasks
-- WHY     the holder learns it at once on its wake channel, at the latest at its next renewal
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include holders
-- @include lines
-- @include targets
-- @include wake
local refusal = begin({})
if refusal then return refusal end
local signal = ARGV[3]
local keys, more = targets(ARGV[4], 'jqprh', tonumber(ARGV[5]), tonumber(ARGV[6]))
local answers, leave, enter, ended, asked, seen, workers = {}, {}, {}, {}, {}, {}, {}
for i = 1, #keys do
  local key = keys[i]
  local id = string.sub(key, #P + 3)
  local r = redis.call('HMGET', key, 's', 'k', 'q', 'X', 'w', 'L', 'sg')
  if not r[1] then
    answers[i] = 'GONE'
  elseif string.find('qpj', r[1], 1, true) then
    answers[i] = 'CANCELLED'
    if not seen[id] then
      ended[#ended + 1] = {key = key, id = id, r = r}
      drop(leave, r[1] == 'q' and P .. 'q:' .. (r[3] or '5') .. ':' .. r[2] or P .. r[1] .. ':' .. r[2], id)
      add(enter, P .. 'c:' .. r[2], at, id)
      note('cancelled', r[2], id, ARGV[1])
    end
  elseif r[1] == 'r' or r[1] == 'h' then
    answers[i] = 'REQUESTED'
    local isNews = not r[4] or signal ~= '' and r[7] ~= signal
    if isNews and not seen[id] then
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
redis.call('HDEL', meta, '')  -- a removal in any case, see tick in shared/header.lua
for i = 1, #ended do
  local e = ended[i]
  redis.call('HSET', e.key, 's', 'c', 'u', at, 'cr', ARGV[1])
  if e.r[6] then moved(e.id, e.r[2], e.r[6], e.r[1], 'c', at) end
  logLine(e.id, 'cancelled', ARGV[2], ARGV[1])
end
for i = 1, #asked do
  redis.call('HSET', asked[i], 'X', at, 'cr', ARGV[1], 'a', '1')
  if signal ~= '' then redis.call('HSET', asked[i], 'sg', signal) end
  logLine(string.sub(asked[i], #P + 3), 'cancel-requested', ARGV[2], ARGV[1])
end
addAll(enter)
local unblocked = settle()
tick()
emit()
tellHolders(workers)
wakeAll(unblocked)
return {'OK', at, answers, more, #asked}
