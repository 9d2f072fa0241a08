-- complete: ends held tasks with success.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: token, fence, result, content type ("" = application/json); last: manual time, us, or ""
-- RETURNS OK now, and when any is refused: [[index STALE|GONE] ...]; a task that is not named is completed | TOO_LARGE now index limit
-- EMITS   succeeded per kind and worker; unblocked, parent-failed for those that waited for them
-- COST    O(log n) a task, at most 500 tasks
-- WHY     accepted after the lease ran out as long as nobody took the task over: token and fence are still the latest.
--         Token and fence stay in the record, so a repeated request gets the same answer. A success ends a row of
--         failures; a result replaces what the holder answered before, no result leaves that. Most calls end tasks of one kind and
--         worker that hang together with nothing: these need no groups, and none of the functions that others need
local redis, head = redis, redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'payload')
-- @include clock
-- @include moment
local resultLimit = head[4] + 0
local refused, seen = nil, #KEYS > 3 and {}
-- A table that has its first places when it is made need not grow for them.
local ended, records, ids, enter = {nil}, {nil}, {nil}, {nil, nil}
local count, isPlain, state, kind, token, worker = 0, true, nil, nil, nil, nil
for i = 1, #KEYS - 2 do
  local a, key, r = 4 * i, KEYS[2 + i], nil
  local given = ARGV[a - 3]
  if #ARGV[a - 1] > resultLimit then return {'TOO_LARGE', at, i, int(resultLimit)} end
  -- A token is one claim's, so one worker's: who it was is asked once for all in a row that have the same.
  if given == token then r = redis.call('HMGET', key, 's', 't', 'g', 'k', 'f', 'L')
  else r = redis.call('HMGET', key, 's', 't', 'g', 'k', 'f', 'L', 'w') end
  local was = r[1]
  if not was or r[2] ~= given or r[3] ~= ARGV[a - 2] or (was ~= 'r' and was ~= 's' and was ~= 'h') then
    refused = refused or {}
    refused[#refused + 1] = {i, was and 'STALE' or 'GONE'}
  elseif was ~= 's' and not (seen and seen[key]) then
    if seen then seen[key] = true end
    if given == token then r[7] = worker end
    if was ~= state or r[4] ~= kind or r[7] ~= worker or r[6] then
      if count > 0 or r[6] then isPlain = false end
      state, kind, worker = was, r[4], r[7]
    end
    token, count = given, count + 1
    local id = string.sub(key, #P + 3)
    ended[count], records[count], ids[count], enter[2 * count - 1], enter[2 * count] = i, r, id, at, id
  end
end

local groups
if not isPlain then
  -- @include groups
  -- @include events
  -- @include kin
  -- @include wake
  local leaving, entering = {}, {}
  for j = 1, count do
    local r = records[j]
    drop(leaving, P .. r[1] .. ':' .. r[4], ids[j])
    add(entering, P .. 's:' .. r[4], at, ids[j])
    note('succeeded', r[4], ids[j], nil, r[7])
  end
  removeAll(leaving)
  groups = {entering = entering, addAll = addAll, moved = moved, settle = settle, emit = emit, wakeAll = wakeAll}
elseif count > 0 then
  redis.call('ZREM', P .. state .. ':' .. kind, unpack(ids, 1, count))
end
local bodies
for j = 1, count do
  local i, r, id = ended[j], records[j], ids[j]
  local key, result, links = KEYS[2 + i], ARGV[4 * i - 1], r[6]
  if result == '' and not r[5] then
    redis.call('HSET', key, 's', 's', 'u', at)
  elseif result == '' then
    redis.call('HSET', key, 's', 's', 'u', at, 'f', '0')
  else
    local record, n = {'s', 's', 'u', at, 'r', result, '', '', '', ''}, 6
    if #result > 64 or links then
      if not bodies then
        -- @include body
        bodies = {put = putBody, clear = clearBody}
      end
      if links and string.find(links, 'r', 1, true) then bodies.clear(key, 'r', 'rt', P .. 'o:' .. id) end
      n = bodies.put(record, 4, 'r', result, P .. 'o:', id)
    end
    if r[5] then record[n + 1], record[n + 2], n = 'f', '0', n + 2 end
    if ARGV[4 * i] ~= '' then record[n + 1], record[n + 2], n = 'rt', ARGV[4 * i], n + 2 end
    redis.call('HSET', key, unpack(record, 1, n))
  end
  if links then groups.moved(id, r[4], links, r[1], 's', at) end
end
local unblocked
if groups then
  groups.addAll(groups.entering)
  unblocked = groups.settle()
elseif count > 0 then
  redis.call('ZADD', P .. 's:' .. kind, unpack(enter, 1, 2 * count))
end
-- @include keep
if groups then
  groups.emit()
  groups.wakeAll(unblocked)
elseif count > 0 then
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', '10000', '*', 'e', 'succeeded', 't', at, 'k', kind, 'i',
    table.concat(ids, '\n', 1, count), 'w', worker)
end
if refused then return {'OK', at, refused} end
return {'OK', at}
