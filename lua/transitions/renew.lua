-- renew: extends the leases of tasks that the caller holds.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: token, fence, lease us; last: manual time, us, or ""
-- RETURNS OK now [[index STALE|GONE] | [index ENDING expires] | [index CANCEL expires signal-or-""] ...]; a task that is not
--         named was renewed for the whole lease; CANCEL was renewed too; ENDING only until then, when the attempt's time is over
-- EMITS   nothing
-- COST    O(log n) a task, at most 500 tasks; each renewal that prolongs a lease is counted (rn)
-- WHY     a lease that ran out is not renewed (somebody may have it already); CANCEL asks the holder to stop
-- @include groups
local redis, head = redis, redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'hold')
-- @include clock
-- @include moment
local held = head[4] and now < head[4] + 0
local answers, lists, cancels, deadlines, ends, longer, signals = {}, {}, {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'X', 'to', 'sg')
  if not r[1] then
    answers[#answers + 1] = {i, 'GONE'}
  elseif r[1] ~= 'r' and r[1] ~= 'h' or r[2] ~= ARGV[3 * i - 2] or r[3] ~= ARGV[3 * i - 1] then
    answers[#answers + 1] = {i, 'STALE'}
  else
    local index = P .. r[1] .. ':' .. r[4]
    local list = lists[index]
    if not list then
      list = {}
      lists[index] = list
      lists[#lists + 1] = index
    end
    list[#list + 1] = i
    cancels[i], deadlines[i], signals[i] = r[5], tonumber(r[6]), r[7]
  end
end
local renewed = {}
for k = 1, #lists do
  local key, list, ids = lists[k], lists[lists[k]], {}
  for j = 1, #list do ids[j] = string.sub(KEYS[2 + list[j]], #P + 3) end
  local expires = redis.call('ZMSCORE', key, unpack(ids))
  for j = 1, #list do
    local i = list[j]
    local e = tonumber(expires[j] or '0')
    if e <= now and not (held and e > 0) then
      answers[#answers + 1] = {i, 'STALE'}
    else
      local id = ids[j]
      local wanted = math.max(e, now + ARGV[3 * i], ends[id] or 0)
      ends[id] = math.min(wanted, deadlines[i] or wanted)
      if ends[id] > e then longer[id] = true end
      add(renewed, key, ends[id], id)
      if cancels[i] then answers[#answers + 1] = {i, 'CANCEL', int(ends[id]), signals[i] or ''}
      elseif ends[id] < wanted then answers[#answers + 1] = {i, 'ENDING', int(ends[id])} end
    end
  end
end
-- A removal first lets the script write when the server is at maxmemory.
redis.call('ZREM', P .. 'workers', '')
addAll(renewed)
for id in pairs(longer) do redis.call('HINCRBY', P .. 't:' .. id, 'rn', '1') end
-- @include keep
return {'OK', at, answers}
