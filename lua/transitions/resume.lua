-- resume: ends a pause: a waiting task may be claimed again and keeps its place, a held one runs on.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: token, fence ("" "" = an operator); then actor, message, manual time, us, or ""
-- RETURNS OK now [[OK state] | [ILLEGAL state] | [STALE] | [GONE] ...] in the order of the tasks; state: q or r
-- EMITS   resumed (detail: the state before)
-- COST    O(log n) a task, at most 500 tasks
-- WHY     a held task's time-out begins anew: it is counted from the last change of its state
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include lines
-- @include policy
-- @include wake
-- @include shift
return shift('resumed', function(state, byHolder)
  if state == 'h' or state == 'r' then return 'r' end
  if byHolder then return nil end
  return (state == 'p' or state == 'q') and 'q' or nil
end)
