-- beat: a worker says that it lives, what it takes and how it fares; or that it leaves.
-- KEYS    1 header  2 guard
-- ARGV    1 worker  2 "online", "heartbeat", "offline" or "drained" (left, because too much failed)  3 interval between its
--         beats, us  4 slots  5 tasks running  6 tasks ended well, 7 otherwise, since it began  8 software  9 its clock, us since 1970, or ""
--         10.. kinds it takes, last: manual time, us, or ""
-- RETURNS OK now
-- EMITS   worker-online, worker-offline and worker-drained; a heartbeat is no event
-- COST    O(kinds), at most 100
-- WHY     a repeat tells nothing new: online right after online, and offline after offline, are the same request.
--         A worker counts as alive until two intervals after its beat: k:<kind> holds that moment, so "who takes this kind,
--         and when did the last one leave" is one look. Nothing is taken from a silent worker but by its leases
-- @include clock
-- @include header
-- @include events
local worker, what, interval = ARGV[1], ARGV[2], tonumber(ARGV[3])
local kinds, fields = {}, {}
for i = 10, #ARGV - 1 do
  kinds[#kinds + 1] = ARGV[i]
  fields[#fields + 1] = 'k:' .. ARGV[i]
end
local refusal, head = begin(fields)
if refusal then return refusal end
local key = P .. 'w:' .. worker
local was = redis.call('HMGET', key, 'since', 'beat', 'alive', 'kinds')
local since, beat, alive = was[1], was[2], tonumber(was[3] or '0')
local names = table.concat(kinds, ' ')
local hasLeft = beat and alive == tonumber(beat)  -- the last beat of one that left is also its end
local hasBegun = since and since == beat and alive > now and was[4] == names
local leaves = what == 'offline' or what == 'drained'
if what == 'online' and hasBegun or leaves and hasLeft then return {'OK', at} end
local aliveUntil = leaves and at or int(now + 2 * interval)
redis.call('ZREM', P .. 'workers', '')  -- a removal first, see tick in shared/header.lua
redis.call('ZADD', P .. 'workers', at, worker)
for i = 1, #kinds do
  if head[4 + i] then redis.call('ZADD', P .. 'k:' .. kinds[i], aliveUntil, worker) end
end
redis.call('HSET', key, 'since', what == 'online' and at or since or at, 'beat', at, 'alive', aliveUntil,
  'every', ARGV[3], 'slots', ARGV[4], 'active', ARGV[5], 'ok', ARGV[6], 'bad', ARGV[7], 'sw', ARGV[8], 'clock', ARGV[9],
  'kinds', names)
tick()
if what ~= 'heartbeat' then
  note('worker-' .. what, '', '', nil, worker)
  emit()
end
return {'OK', at}
