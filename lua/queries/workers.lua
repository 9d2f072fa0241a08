-- workers: who works, as their beats told, the latest seen first.
-- KEYS    1 header  2 guard
-- ARGV    1 most workers (1-500)  2 manual time, us, or ""
-- RETURNS OK now [[worker seen since beat alive-until interval slots active ok bad software clock kinds] ...]; "" for what a
--         worker never told (one that only claims)
-- EMITS   nothing
-- COST    O(workers asked for)
-- WHY     a worker is alive while now is before alive-until; one that never beat is known by its claims only
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local names = redis.call('ZRANGE', P .. 'workers', -tonumber(ARGV[1]), -1, 'WITHSCORES')
local reply = {}
for i = #names - 1, 1, -2 do
  local w = redis.call('HMGET', P .. 'w:' .. names[i], 'since', 'beat', 'alive', 'every', 'slots', 'active', 'ok', 'bad', 'sw',
    'clock', 'kinds')
  local row = {names[i], int(tonumber(names[i + 1]))}
  for j = 1, 11 do row[2 + j] = w[j] or '' end
  reply[#reply + 1] = row
end
return {'OK', at, reply}
