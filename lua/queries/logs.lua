-- logs: what a task's log is made of: its record, its attempts and its lines.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [remembered attempt (see shared/history.lua) ...] [state attempts fence begun updated worker created]
--         [line (see shared/lines.lua) ...] | GONE now
-- EMITS   nothing
-- COST    O(20 attempts + 100 lines)
-- WHY     a claim and its end stand in the record and the attempts already, so the log of a task that runs well costs nothing
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local r = redis.call('HMGET', KEYS[3], 's', 'n', 'g', 'b', 'u', 'w', 'c')
if not r[1] then return {'GONE', at} end
local id = string.sub(KEYS[3], #P + 3)
return {'OK', at, redis.call('LRANGE', P .. 'a:' .. id, 0, -1),
  {r[1], r[2] or '0', r[3] or '0', r[4] or '', r[5] or '', r[6] or '', r[7]}, redis.call('LRANGE', P .. 'l:' .. id, 0, -1)}
