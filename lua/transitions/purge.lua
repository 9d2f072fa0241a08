-- purge: deletes ended tasks that were kept as long as their kind says, and what dead workers left.
-- KEYS    1 header  2 events
-- ARGV    1 most tasks (1-500)  2 manual time, us, or ""
-- RETURNS OK now more(0|1) [[id kind state] ...]
-- EMITS   purged per kind (detail: the state it had)
-- COST    O(kinds + log n a task)
-- WHY     retention is a score judged by a script, never a TTL: nothing vanishes behind the tracker's back.
--         Each record is looked at again, so a stray index entry deletes nothing but itself
-- @include clock
-- @include groups
-- @include events
-- @include kin
-- @include allkinds
-- @include forget
local refusal = begin({})
if refusal then return refusal end
local limit = tonumber(ARGV[1])
local kinds, policies = allKinds()
local gone, leave, reply, highest = {}, {}, {}, 0
for i = 1, #kinds do
  local succeeded, other = string.match(policies[i], '^%d+ %d+ %a %d+ %d+ %d+ %d+ (%d+) (%d+)')
  for _, state in ipairs({'s', 'x', 'c', 'n'}) do
    local keep = state == 's' and succeeded or other
    if keep ~= '0' and #gone < limit then
      local key = P .. state .. ':' .. kinds[i]
      local ids = redis.call('ZRANGEBYSCORE', key, '-inf', now - tonumber(keep), 'LIMIT', 0, limit - #gone)
      for j = 1, #ids do
        local r = redis.call('HMGET', P .. 't:' .. ids[j], 's', 'g', 'L')
        drop(leave, key, ids[j])
        if r[1] == state then
          gone[#gone + 1] = {ids[j], kinds[i], r[3], state}
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
  local id, kind, links, state = unpack(gone[i], 1, 4)
  if links then moved(id, kind, links, state, '-') end
  forget(id)
end
for i = 1, #silent do
  redis.call('ZREM', P .. 'workers', silent[i])
  redis.call('UNLINK', P .. 'w:' .. silent[i])
end
for i = 1, #kinds do
  local stale = redis.call('ZRANGEBYSCORE', P .. 'i:' .. kinds[i], '-inf', now - 60000000, 'LIMIT', 0, 100)
  if #stale > 0 then redis.call('ZREM', P .. 'i:' .. kinds[i], unpack(stale)) end
  -- Workers that are silent for a day, but for the last one that took the kind: explain tells when it left.
  local away = redis.call('ZRANGEBYSCORE', P .. 'k:' .. kinds[i], '-inf', now - day, 'LIMIT', 0, 100)
  if #away > 0 and redis.call('ZCARD', P .. 'k:' .. kinds[i]) == #away then away[#away] = nil end
  if #away > 0 then redis.call('ZREM', P .. 'k:' .. kinds[i], unpack(away)) end
end
tick()
-- The next task of a deleted id begins above the fences that were given: the stored time is a floor for both.
if #gone > 0 then redis.call('HSET', meta, 'now', math.max(now, highest + 1)) end
emit()
return {'OK', at, #gone >= limit and 1 or 0, reply}
