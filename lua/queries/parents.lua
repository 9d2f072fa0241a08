-- parents: what a task waits or waited for, and what came of it.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 most parents (1-100)  2 so many are passed over  3 manual time, us, or ""
-- RETURNS OK now total [[parent state result content-type] ...] in the order they were given; parent t:<id> or g:<tag>; state a
--         letter, "" when the task is gone; of a tag j while it goes on, s when all ended well, x otherwise | GONE now
-- EMITS   nothing
-- COST    O(parents + size of the results)
-- WHY     a task that goes on from others reads their results here, in one round trip, instead of carrying copies
-- @include clock
-- @include header
-- @include body
-- @include events
-- @include kin
local refusal = begin({})
if refusal then return refusal end
needKin()
local id, limit, skip = string.sub(KEYS[3], #P + 3), tonumber(ARGV[1]), tonumber(ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 0 then return {'GONE', at} end
local list, reply = P .. 'g:' .. id, {}
local parents = redis.call('LRANGE', list, skip, skip + limit - 1)
for i = 1, #parents do
  local tag = string.match(parents[i], '^g:(.*)$')
  if tag then
    reply[i] = {parents[i], holds(tag, 'qrhpj') and 'j' or holds(tag, 'xcn') and 'x' or 's', '', ''}
  else
    local r = redis.call('HMGET', P .. parents[i], 's', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
    local result = joinBody(r[2], r[3], r[4], r[5], r[6], P .. 'o:' .. string.sub(parents[i], 3))
    reply[i] = {parents[i], r[1] or '', result, r[7] or ''}
  end
end
return {'OK', at, redis.call('LLEN', list), reply}
