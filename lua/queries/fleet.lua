-- fleet: foreign workers, as the events of Celery told, the latest heard of first.
-- KEYS    1 header  2 guard
-- ARGV    1 most workers (1-500)  2 manual time, us, or ""
-- RETURNS OK now [[worker field value ...] ...]: b its last beats, off when it left, freq us, drift us, v when its fields
--         were told, sw_ident, sw_ver, sw_sys, active, processed; only those that are known
-- EMITS   nothing
-- COST    O(workers asked for)
-- WHY     a worker is alive while now is before its latest beat plus two of its intervals, 60 s where it told none
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local hosts, reply = redis.call('ZRANGE', P .. 'yw', -tonumber(ARGV[1]), -1), {}
for i = #hosts, 1, -1 do
  local r = redis.call('HGETALL', P .. 'yw:' .. hosts[i])
  table.insert(r, 1, hosts[i])
  reply[#reply + 1] = r
end
return {'OK', at, reply}
