-- log: adds a line to a task's log, its holder's or an operator's.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 token, 2 fence ("" "" = an operator)  3 who the operator is  4 nonce of the request  5 message, at most 1,024 bytes
--         6 manual time, us, or ""
-- RETURNS OK now | STALE now | GONE now
-- EMITS   nothing: a log is read where it stands
-- COST    O(1)
-- WHY     the nonce stands in the line, so a repeat finds it among the last ones and adds nothing
-- @include clock
-- @include header
-- @include lines
local r = redis.call('HMGET', KEYS[3], 's', 't', 'g', 'w')
local refusal = begin({})
if refusal then return refusal end
if not r[1] then return {'GONE', at} end
if ARGV[1] ~= '' and (r[1] ~= 'r' and r[1] ~= 'h' or r[2] ~= ARGV[1] or r[3] ~= ARGV[2]) then return {'STALE', at} end
local id = string.sub(KEYS[3], #P + 3)
if wasLogged(id, ARGV[4]) then return {'OK', at} end
redis.call('HDEL', meta, '')  -- a removal first, see tick in shared/header.lua
redis.call('HSET', KEYS[3], 'a', '1')
logLine(id, 'message', ARGV[1] ~= '' and r[4] or ARGV[3], ARGV[5], ARGV[4])
tick()
return {'OK', at}
