-- kinds: all kinds with their policies.
-- KEYS    1 header  2 guard
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [[kind policy] ...] in the order of the names
-- EMITS   nothing
-- COST    O(kinds), at most 1,000
-- WHY     the policies are data that any host may read
-- @include clock
-- @include header
-- @include allkinds
local refusal = begin({})
if refusal then return refusal end
local names, policies = allKinds()
local reply = {}
for i = 1, #names do reply[i] = {names[i], policies[i]} end
return {'OK', at, reply}
