-- delete: an operator deletes tasks with everything kept of them.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    1 "force" (running ones too; their holders are refused from then on) or ""
--         2 tag: its tasks, in place of KEYS 3..; or ""  3 letters of the states in which tasks of the tag are meant
--         4 most tasks of the tag (1-500)  5 manual time, us, or ""
-- RETURNS OK now [DELETED | RUNNING | GONE ...] in the order of the tasks, more(0|1): of the tag
-- EMITS   deleted per kind (detail: the state it had); unblocked, parent-failed for those that waited for them
-- COST    O(log n) a task, at most 500 tasks
-- WHY     a repeat answers GONE: what was asked for has been done. The next task of a deleted id begins above the fences that
--         were given: the stored time is a floor for both
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include holders
-- @include beside
-- @include forget
-- @include targets
-- @include wake
local refusal = begin({})
if refusal then return refusal end
local keys, more = targets(ARGV[2], ARGV[3], tonumber(ARGV[4]))
local answers, leave, gone, highest, seen, holders = {}, {}, {}, 0, {}, {}
for i = 1, #keys do
  local id = string.sub(keys[i], #P + 3)
  local r = redis.call('HMGET', keys[i], 's', 'k', 'q', 'g', 'w', 'L', 'P', 'R', 'n', 'a')
  if not r[1] then
    answers[i] = 'GONE'
  elseif (r[1] == 'r' or r[1] == 'h') and ARGV[1] ~= 'force' then
    answers[i] = 'RUNNING'
  else
    answers[i] = 'DELETED'
    if not seen[id] then
      gone[#gone + 1] = {id = id, r = r}
      drop(leave, r[1] == 'q' and P .. 'q:' .. (r[3] or '5') .. ':' .. r[2] or P .. r[1] .. ':' .. r[2], id)
      highest = math.max(highest, tonumber(r[4] or '0'))
      note('deleted', r[2], id, r[1])
      if r[1] == 'r' or r[1] == 'h' then holders[#holders + 1] = r[5] end
    end
    seen[id] = true
  end
end
removeAll(leave)
for i = 1, #gone do
  local g = gone[i]
  if g.r[6] then moved(g.id, g.r[2], g.r[6], g.r[1], '-') end
  forget(g.id, g.r[1], g.r[6], g.r, 7)
end
forgetAll()
if #gone > 0 then redis.call('HSET', meta, 'now', math.max(now, highest + 1)) end
local unblocked = settle()
emit()
tellHolders(holders)
wakeAll(unblocked)
return {'OK', at, answers, more}
