-- pause: an operator keeps waiting tasks from being claimed; a holder pauses its task and keeps the lock, renewing it.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: token, fence ("" "" = an operator's pause); then actor, message, manual time, us, or ""
-- RETURNS OK now [[OK state] | [ILLEGAL state] | [STALE] | [GONE] ...] in the order of the tasks; state: p, or h (held)
-- EMITS   paused (detail: the state before)
-- COST    O(log n) a task, at most 500 tasks
-- WHY     while its holder pauses, an attempt's time-out stands still; its lease does not, so a dead holder is noticed
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include lines
-- @include policy
-- @include wake
-- @include shift
return shift('paused', function(state, byHolder)
  if state == 'h' then return 'h' end
  if byHolder then return state == 'r' and 'h' or nil end
  return (state == 'q' or state == 'p') and 'p' or nil
end)
