-- clear: forgets foreign tasks, a step at a time; with all of them the foreign workers and the counts of events, too.
-- KEYS    1 header  2 guard
-- ARGV    1 "finished" (SUCCESS, FAILURE, REVOKED) or "all"  2 most tasks, and workers (1-500)  3 manual time, us, or ""
-- RETURNS OK now more(0|1) deleted tasks
-- EMITS   nothing
-- COST    O(log n) a task and worker
-- WHY     a repeat finds nothing left. Nothing is taken from those who run the tasks: they only become unknown here
-- @include clock
-- @include header
-- @include groups
-- @include evict
local all, limit = ARGV[1] == 'all', tonumber(ARGV[2])
local refusal = begin({})
if refusal then return refusal end
local ids, hosts, keys = {}, {}, {}
local places = all and {'yz'} or {'ys:SUCCESS', 'ys:FAILURE', 'ys:REVOKED'}
for i = 1, #places do
  if #ids < limit then
    local some = redis.call('ZRANGE', P .. places[i], 0, limit - #ids - 1)
    for j = 1, #some do ids[#ids + 1] = some[j] end
  end
end
if all then hosts = redis.call('ZRANGE', P .. 'yw', 0, limit - 1) end
evict(ids)
if all then
  for i = 1, #hosts do keys[i] = P .. 'yw:' .. hosts[i] end
  if #hosts > 0 then redis.call('ZREM', P .. 'yw', unpack(hosts)) end
  redis.call('UNLINK', P .. 'yc', unpack(keys))
end
tick()
return {'OK', at, (#ids >= limit or #hosts >= limit) and 1 or 0, #ids}
