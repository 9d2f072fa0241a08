-- advance: keeps how far a consumer has read the events, unless another of its kind was faster.
-- KEYS    1 header  2 guard
-- ARGV    1 consumer  2 position that it began from ("" = none)  3 position that it has come to  4 manual time, us, or ""
-- RETURNS OK now | STALE now position ("" = none)
-- EMITS   nothing
-- COST    O(1)
-- WHY     any number of consumers may do the same work at once; the position moves once for each piece of it. A repeat finds
--         its own position and answers OK
-- @include clock
-- @include header
local cursors, consumer, before, after = P .. 'cursors', ARGV[1], ARGV[2], ARGV[3]
local refusal = begin({})
if refusal then return refusal end
local stored = redis.call('HGET', cursors, consumer) or ''
if stored == after then return {'OK', at} end
if stored ~= before then return {'STALE', at, stored} end
redis.call('HDEL', cursors, '')  -- a removal first, see tick in shared/header.lua
redis.call('HSET', cursors, consumer, after)
tick()
return {'OK', at}
