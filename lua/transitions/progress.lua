-- progress: the holder says how far it is.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 token  2 fence  3 fraction, thousandths 0-1000 ("" = unknown)  4 message, at most 64 bytes  5 manual time, us, or ""
-- RETURNS OK now | STALE now | GONE now
-- EMITS   progressed (detail: thousandths), unless that was said already
-- COST    O(1)
-- WHY     carries the fence, so that a superseded holder cannot paint over its successor's progress
-- @include clock
-- @include header
-- @include events
local r = redis.call('HMGET', KEYS[3], 's', 't', 'g', 'k', 'w', 'pg', 'pm')
local refusal = begin({})
if refusal then return refusal end
if not r[1] then return {'GONE', at} end
if r[1] ~= 'r' and r[1] ~= 'h' or r[2] ~= ARGV[1] or r[3] ~= ARGV[2] then return {'STALE', at} end
if (r[6] or '') == ARGV[3] and (r[7] or '') == ARGV[4] then return {'OK', at} end
redis.call('HDEL', KEYS[3], 'pg', 'pm')
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], 'pg', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], 'pm', ARGV[4]) end
tick()
note('progressed', r[4], string.sub(KEYS[3], #P + 3), ARGV[3], r[5])
emit()
return {'OK', at}
