-- ignore: an operator sets tasks aside: they are not run, and count as neither failed nor cancelled.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: "", "" (a holder's token and fence are no use here); then actor, message, manual time, us, or ""
-- RETURNS OK now [[OK n] | [ILLEGAL state] | [STALE] | [GONE] ...] in the order of the tasks
-- EMITS   ignored (detail: the state before)
-- COST    O(log n) a task, at most 500 tasks
-- WHY     a running task is its holder's and a success stands; the way back is a retry, or a claim with force
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include lines
-- @include policy
-- @include wake
-- @include shift
return shift('ignored', function(state)
  return string.find('qjpxcn', state, 1, true) and 'n' or nil
end)
