-- leave: takes an idle worker out of the lines of those who wait for tasks of some kinds.
-- KEYS    1 header  2 guard
-- ARGV    1 worker  2.. kinds, last: manual time, us, or ""
-- RETURNS OK now
-- EMITS   nothing
-- COST    O(log workers) a kind
-- WHY     a worker of a tracker of several partitions stands in line in each; once it has found as much as it can take in one of
--         them, the others must not wake it in the stead of a worker that is idle. A claim does this in its own partition
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
for i = 2, #ARGV - 1 do redis.call('ZREM', P .. 'i:' .. ARGV[i], ARGV[1]) end
return {'OK', at}
