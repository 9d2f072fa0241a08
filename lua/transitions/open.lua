-- open: creates a tracker's header, or checks that this library may use the one that is there.
-- KEYS    1 header
-- ARGV    1 partitions (1-1024)  2 clock: "server" or "manual"  3 largest payload, bytes  4 manual time, us, or ""
-- RETURNS OK now schema partitions clock payload-limit created | SCHEMA found | CLOCK found
-- EMITS   nothing
-- COST    O(1)
-- WHY     what is fixed for a tracker's life is stored once, so that every host and language sees the same
local meta, partitions, clock, payloadLimit, manual = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local head = redis.call('HMGET', meta, 'schema', 'partitions', 'clock', 'payload', 'created', 'now')
local t = redis.call('TIME')
local now = manual ~= '' and tonumber(manual) or t[1] * 1000000 + t[2]
if not head[1] then
  redis.call('HSET', meta, 'schema', '1', 'partitions', partitions, 'clock', clock, 'payload', payloadLimit,
    'created', now, 'now', now)
  head = {'1', partitions, clock, payloadLimit, string.format('%.0f', now)}
end
if head[1] ~= '1' then return {'SCHEMA', head[1]} end
if head[3] ~= clock then return {'CLOCK', head[3]} end
if head[6] and tonumber(head[6]) > now then now = tonumber(head[6]) end
return {'OK', string.format('%.0f', now), head[1], head[2], head[3], head[4], head[5]}
