-- renew: extends the leases of tasks that the caller holds.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    for each task: token, fence, lease us; last: manual time, us, or ""
-- RETURNS OK now [[index STALE|GONE|CANCEL] ...]; a task that is not named was renewed, CANCEL was renewed too
-- EMITS   nothing
-- COST    O(log n) a task, at most 500 tasks
-- WHY     a lease that ran out is not renewed (somebody may have it already); CANCEL asks the holder to stop
-- @include clock
-- @include groups
local refusal = begin({})
if refusal then return refusal end
local answers, kinds, held_, cancels, ends = {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'X')
  if not r[1] then
    answers[#answers + 1] = {i, 'GONE'}
  elseif r[1] ~= 'r' or r[2] ~= ARGV[3 * i - 2] or r[3] ~= ARGV[3 * i - 1] then
    answers[#answers + 1] = {i, 'STALE'}
  else
    local list = held_[r[4]]
    if not list then
      list = {}
      held_[r[4]] = list
      kinds[#kinds + 1] = r[4]
    end
    list[#list + 1] = i
    cancels[i] = r[5]
  end
end
local renewed = {}
for k = 1, #kinds do
  local key, list, ids = P .. 'r:' .. kinds[k], held_[kinds[k]], {}
  for j = 1, #list do ids[j] = string.sub(KEYS[2 + list[j]], #P + 3) end
  local expires = redis.call('ZMSCORE', key, unpack(ids))
  for j = 1, #list do
    local i = list[j]
    local e = tonumber(expires[j] or '0')
    if e <= now and not (held and e > 0) then
      answers[#answers + 1] = {i, 'STALE'}
    else
      local id = ids[j]
      ends[id] = math.max(e, now + tonumber(ARGV[3 * i]), ends[id] or 0)
      add(renewed, key, ends[id], id)
      if cancels[i] then answers[#answers + 1] = {i, 'CANCEL'} end
    end
  end
end
-- A removal first lets the script write when the server is at maxmemory.
redis.call('ZREM', P .. 'workers', '')
addAll(renewed)
tick()
return {'OK', int(now), answers}
