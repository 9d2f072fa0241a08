-- open: creates a tracker's header, or checks that this library may use the one that is there.
-- KEYS    1 header  2 guard
-- ARGV    1 partitions (1-256; "" = as many as there are, 1 when it is new)  2 clock: "server" or "manual"
--         3 largest payload, bytes  4 manual time, us, or ""
-- RETURNS OK now schema partitions clock payload-limit created | SCHEMA found | CLOCK found
--         | PARTITIONS found: it was created with another number
--         | NOPERM command: the user may not run what the scripts run
-- EMITS   nothing
-- COST    O(1)
-- WHY     what is fixed for a tracker's life is stored once in each partition, so that every host and language sees the same,
--         and the first partition tells how many there are; a right that is missing would stop a script between two writes,
--         so rights are asked for before the first (Redis 7 can tell)
-- @include clock
-- @include header
local partitions, clock, payloadLimit = ARGV[1], ARGV[2], ARGV[3]
local head = redis.call('HMGET', meta, 'schema', 'partitions', 'clock', 'payload', 'created', 'now')
now = tonumber(at)
if redis.acl_check_cmd then
  local key, channel, stream = P .. 't:', P .. 'wake:', P .. 'events'
  local needed = {
    {'EXISTS', key}, {'GET', key}, {'HDEL', key, 'f'}, {'HEXISTS', key, 'f'}, {'HGET', key, 'f'}, {'HGETALL', key}, {'HINCRBY', key, 'f', 1},
    {'HLEN', key}, {'HMGET', key, 'f'},
    {'HSET', key, 'f', 'v'}, {'LINDEX', key, 0}, {'LLEN', key}, {'LRANGE', key, 0, 0}, {'LTRIM', key, 0, 0}, {'PUBLISH', channel, 'm'}, {'RENAME', key, key},
    {'RPUSH', key, 'v'}, {'SET', key, 'v'}, {'UNLINK', key}, {'XADD', stream, '*', 'f', 'v'},
    {'XRANGE', stream, '-', '+'}, {'XREVRANGE', stream, '+', '-'}, {'ZADD', key, 1, 'm'},
    {'ZCARD', key}, {'ZCOUNT', key, 0, 0}, {'ZMSCORE', key, 'm'}, {'ZPOPMIN', key}, {'ZRANGE', key, 0, 0},
    {'ZRANGEBYSCORE', key, 0, 0}, {'ZREM', key, 'm'}, {'ZSCORE', key, 'm'},
  }
  for i = 1, #needed do
    if not redis.acl_check_cmd(unpack(needed[i])) then return {'NOPERM', needed[i][1]} end
  end
end
if not head[1] then
  if partitions == '' then partitions = '1' end
  redis.call('HSET', meta, 'schema', '1', 'partitions', partitions, 'clock', clock, 'payload', payloadLimit,
    'created', now, 'now', now)
  head = {'1', partitions, clock, payloadLimit, int(now)}
end
if head[1] ~= '1' then return {'SCHEMA', head[1]} end
if head[3] ~= clock then return {'CLOCK', head[3]} end
if partitions ~= '' and head[2] ~= partitions then return {'PARTITIONS', head[2]} end
if head[6] and tonumber(head[6]) > now then now = tonumber(head[6]) end
return {'OK', int(now), head[1], head[2], head[3], head[4], head[5]}
