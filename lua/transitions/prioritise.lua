-- prioritise: an operator gives tasks that have not ended another priority; a waiting one keeps its due time.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    1 priority (0-9, 9 first)  2 actor  3 manual time, us, or ""
-- RETURNS OK now [OK | GONE | state letter of a task that had ended ...] in the order of the tasks
-- EMITS   prioritised per kind (detail: the priority), when it is another one
-- COST    O(log n) a task, at most 500 tasks
-- WHY     a running task's priority is that of its next attempt. A repeat finds the priority set and does nothing
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include lines
-- @include wake
local priority = ARGV[1]
local records, kinds = {}, {}
for i = 1, #KEYS - 2 do
  local r = redis.call('HMGET', KEYS[2 + i], 's', 'k', 'q', 'd', 'c')
  records[i] = r
  if r[2] and not kinds[r[2]] then
    kinds[r[2]] = true
    kinds[#kinds + 1] = 'q:' .. r[2]
  end
end
local refusal, head = begin(kinds)
if refusal then return refusal end
local flags = {}
for i = 1, #kinds do flags[string.sub(kinds[i], 3)] = head[4 + i] or '5' end
local answers, moves, leave, enter, soon, seen = {}, {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local r, key = records[i], KEYS[2 + i]
  local id = string.sub(key, #P + 3)
  if not r[1] then
    answers[i] = 'GONE'
  elseif not string.find('qjrhp', r[1], 1, true) then
    answers[i] = r[1]
  else
    answers[i] = 'OK'
    if (r[3] or '5') ~= priority and not seen[id] then
      moves[#moves + 1] = {key = key, id = id, kind = r[2]}
      if r[1] == 'q' then
        local due = r[4] or r[5]
        drop(leave, P .. 'q:' .. (r[3] or '5') .. ':' .. r[2], id)
        add(enter, P .. 'q:' .. priority .. ':' .. r[2], due, id)
        if tonumber(due) <= now + 1000000 then soon[r[2]] = (soon[r[2]] or 0) + 1 end
      end
      note('prioritised', r[2], id, priority)
    end
  end
  seen[id] = true
end
removeAll(leave)
redis.call('HDEL', meta, '')  -- a removal in any case, see tick in shared/header.lua
for i = 1, #moves do
  local m = moves[i]
  if priority == '5' then redis.call('HDEL', m.key, 'q') end
  redis.call('HSET', m.key, 'a', '1', unpack(priority == '5' and {} or {'q', priority}))
  if not string.find(flags[m.kind], priority, 1, true) then
    flags[m.kind] = flags[m.kind] .. priority
    redis.call('HSET', meta, 'q:' .. m.kind, flags[m.kind])
  end
  logLine(m.id, 'prioritised', ARGV[2], priority)
end
addAll(enter)
tick()
emit()
wakeAll(soon)
return {'OK', at, answers}
