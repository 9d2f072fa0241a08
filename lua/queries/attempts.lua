-- attempts: what is remembered of a task's runs, oldest first.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [remembered attempt (see shared/history.lua) ...] [state attempts fence begun updated worker]
--         [digest backtrace ...] | GONE now
-- EMITS   nothing
-- COST    O(20)
-- WHY     the latest attempt, while it runs or when it succeeded, is the record itself, so success costs no list
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local r = redis.call('HMGET', KEYS[3], 's', 'n', 'g', 'b', 'u', 'w')
if not r[1] then return {'GONE', at} end
local id = string.sub(KEYS[3], #P + 3)
local list = redis.call('LRANGE', P .. 'a:' .. id, 0, -1)
return {'OK', at, list, {r[1], r[2] or '0', r[3] or '0', r[4] or '', r[5] or '', r[6] or ''},
  redis.call('HGETALL', P .. 'e:' .. id)}
