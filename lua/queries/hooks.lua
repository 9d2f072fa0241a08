-- hooks: the rules of finished hooks, and how far a consumer has read the events.
-- KEYS    1 header  2 guard
-- ARGV    1 name of one rule ("" = all)  2 consumer  3 manual time, us, or ""
-- RETURNS OK now position ("" = none) [[name since rule] ...] in the order of the names
-- EMITS   nothing
-- COST    O(rules), at most 100
-- WHY     rules that are read after a page of events are at least as new as the events
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local rules = {}
local function tell(name, stored)
  local since, rule = string.match(stored, '^(%d+) (.*)$')
  rules[#rules + 1] = {name, since, rule}
end
if ARGV[1] ~= '' then
  local stored = redis.call('HGET', P .. 'hooks', ARGV[1])
  if stored then tell(ARGV[1], stored) end
else
  local all = redis.call('HGETALL', P .. 'hooks')
  for i = 1, #all, 2 do tell(all[i], all[i + 1]) end
  table.sort(rules, function(a, b) return a[1] < b[1] end)
end
return {'OK', at, redis.call('HGET', P .. 'cursors', ARGV[2]) or '', rules}
