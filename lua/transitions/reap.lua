-- reap: takes back running tasks whose lease ran out, of every kind, the longest expired first within a kind.
-- KEYS    1 header  2 guard
-- ARGV    1 most tasks (1-500)  2 the caller's estimate of now, us, or ""  3 manual time, us, or ""
-- RETURNS OK now more(0|1) [[id kind state due-or-"" worker] ...]
-- EMITS   reaped per kind and worker (detail: the state after); unblocked, parent-failed for those that waited for them, and for
--         those that a script before had no room to tell
-- COST    O(kinds + log n a task)
-- WHY     each lease is looked at again in the script that moves its task, so any number of reapers may run at once
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include history
-- @include policy
-- @include wake
-- @include expire
-- @include jump
-- @include allkinds
local refusal = begin({})
if refusal then return refusal end
local jumped = sawJump(ARGV[2])
local kinds, policies, flags = allKinds()
local keys, busy = {}, {names = {}, policies = {}, flags = {}}
for i = 1, #kinds do keys[i] = P .. 'r:' .. kinds[i] end
local there = present(keys)
for i = 1, #kinds do
  if there[keys[i]] or string.find(flags[i], 'h', 1, true) then
    local n = #busy.names + 1
    busy.names[n], busy.policies[n], busy.flags[n] = kinds[i], policies[i], flags[i]
  end
end
readExpired(busy.names, busy.policies, busy.flags, tonumber(ARGV[1]))
local woken = writeExpired()
markJump(jumped, policies)
local unblocked = settleRest()
tick()
emit()
wakeAll(woken)
wakeAll(unblocked)
local reply = {}
for i = 1, #expired do
  local e = expired[i]
  if e.to then reply[#reply + 1] = {e.id, e.kind, e.to, e.due and int(e.due) or '', e.worker} end
end
return {'OK', at, expiredMore and 1 or 0, reply}
