-- purge: deletes ended tasks that were kept as long as their kind says, and what dead workers left.
-- KEYS    1 header  2 guard
-- ARGV    1 most tasks (1-500)  2 manual time, us, or ""
-- RETURNS OK now more(0|1) [[id kind state] ...]
-- EMITS   purged per kind (detail: the state it had)
-- COST    O(kinds + log n a task)
-- WHY     retention is a score judged by a script, never a TTL: nothing vanishes behind the tracker's back.
--         Each record is looked at again, so a stray index entry deletes nothing but itself
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include allkinds
-- @include beside
-- @include forget
local refusal = begin({})
if refusal then return refusal end
local limit = tonumber(ARGV[1])
local kinds, policies = allKinds()
local gone, leave, reply, highest = {}, {}, {}, 0

-- Some kinds, letter by letter, so that those that are not there are asked for together.
local function keysOf(letters, first)
  local keys = {}
  for letter in string.gmatch(letters, '%a') do
    for i = first, math.min(first + 15, #kinds) do keys[#keys + 1] = P .. letter .. ':' .. kinds[i] end
  end
  return present(keys)
end

local there
for i = 1, #kinds do
  if #gone >= limit then break end
  if i % 16 == 1 then there = keysOf('sxcn', i) end
  local succeeded, other = string.match(policies[i], '^%d+ %d+ %a %d+ %d+ %d+ %d+ (%d+) (%d+)')
  for _, state in ipairs({'s', 'x', 'c', 'n'}) do
    local keep, key = state == 's' and succeeded or other, P .. state .. ':' .. kinds[i]
    if keep ~= '0' and #gone < limit and there[key] then
      local ids = redis.call('ZRANGEBYSCORE', key, '-inf', now - tonumber(keep), 'LIMIT', 0, limit - #gone)
      for j = 1, #ids do
        local r = redis.call('HMGET', P .. 't:' .. ids[j], 's', 'g', 'L', 'P', 'R', 'n', 'a')
        drop(leave, key, ids[j])
        if r[1] == state then
          gone[#gone + 1] = {id = ids[j], kind = kinds[i], r = r}
          reply[#reply + 1] = {ids[j], kinds[i], state}
          note('purged', kinds[i], ids[j], state)
          highest = math.max(highest, tonumber(r[2] or '0'))
        end
      end
    end
  end
end
local day = 86400000000
local silent = redis.call('ZRANGEBYSCORE', P .. 'workers', '-inf', now - day, 'LIMIT', 0, 100)
removeAll(leave)
for i = 1, #gone do
  local g = gone[i]
  local state, links = g.r[1], g.r[3]
  if links then moved(g.id, g.kind, links, state, '-') end
  forget(g.id, state, links, g.r, 4)
end
settle()
forgetAll()
for i = 1, #silent do
  redis.call('ZREM', P .. 'workers', silent[i])
  redis.call('UNLINK', P .. 'w:' .. silent[i])
end
-- What workers left, in the step that finds no more tasks than it may delete.
for i = 1, #gone < limit and #kinds or 0 do
  local idle, takers = P .. 'i:' .. kinds[i], P .. 'k:' .. kinds[i]
  if i % 16 == 1 then there = keysOf('ik', i) end
  local stale = there[idle] and redis.call('ZRANGEBYSCORE', idle, '-inf', now - 60000000, 'LIMIT', 0, 100) or {}
  if #stale > 0 then redis.call('ZREM', idle, unpack(stale)) end
  -- Workers that are silent for a day, but for the last one that took the kind: explain tells when it left.
  local away = there[takers] and redis.call('ZRANGEBYSCORE', takers, '-inf', now - day, 'LIMIT', 0, 100) or {}
  if #away > 0 and redis.call('ZCARD', takers) == #away then away[#away] = nil end
  if #away > 0 then redis.call('ZREM', takers, unpack(away)) end
end
tick()
-- The next task of a deleted id begins above the fences that were given: the stored time is a floor for both.
if #gone > 0 then redis.call('HSET', meta, 'now', math.max(now, highest + 1)) end
emit()
return {'OK', at, #gone >= limit and 1 or 0, reply}
