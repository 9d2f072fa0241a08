-- complete: ends held tasks with success.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: token, fence, result, content type ("" = application/json); last: manual time, us, or ""
-- RETURNS OK now, and when any is refused: [[index STALE|GONE] ...]; a task that is not named is completed | TOO_LARGE now index limit
-- EMITS   succeeded per kind and worker; unblocked, parent-failed for those that waited for them
-- COST    O(log n) a task, at most 500 tasks
-- WHY     accepted after the lease ran out as long as nobody took the task over: token and fence are still the latest.
--         Token and fence stay in the record, so a repeated request gets the same answer. A success ends a row of
--         failures; a result replaces what the holder answered before, no result leaves that
-- @include clock
-- @include body
-- @include groups
-- @include events
-- @include kin
-- @include wake
local refusal, head = begin({'payload'})
if refusal then return refusal end
local resultLimit = tonumber(head[5])
local refused, ended, rare, leave, enter = {}, {}, {}, {}, {}
local seen = #KEYS > 3 and {}
local state, kind, from, to, token, worker
for i = 1, #KEYS - 2 do
  local a, key = 4 * i, KEYS[2 + i]
  if #ARGV[a - 1] > resultLimit then return {'TOO_LARGE', at, i, int(resultLimit)} end
  -- A token is one claim's, so one worker's: who it was is asked once for all in a row that have the same.
  local isNew, r = ARGV[a - 3] ~= token, nil
  if isNew then r = redis.call('HMGET', key, 's', 't', 'g', 'k', 'f', 'L', 'w')
  else r = redis.call('HMGET', key, 's', 't', 'g', 'k', 'f', 'L') end
  if not r[1] then
    refused[#refused + 1] = {i, 'GONE'}
  elseif r[2] ~= ARGV[a - 3] or r[3] ~= ARGV[a - 2] or (r[1] ~= 'r' and r[1] ~= 's' and r[1] ~= 'h') then
    refused[#refused + 1] = {i, 'STALE'}
  elseif r[1] ~= 's' and not (seen and seen[key]) then
    if seen then seen[key] = true end
    ended[#ended + 1] = i
    if isNew then token, worker = r[2], r[7] end
    if r[1] ~= state or r[4] ~= kind then
      state, kind = r[1], r[4]
      from, to = P .. state .. ':' .. kind, P .. 's:' .. kind
    end
    local id = string.sub(key, #P + 3)
    if r[5] or r[6] then rare[i] = {id = id, kind = kind, state = state, failures = r[5], links = r[6]} end
    drop(leave, from, id)
    add(enter, to, at, id)
    note('succeeded', kind, id, nil, worker)
  end
end
removeAll(leave)
for j = 1, #ended do
  local i = ended[j]
  local key, result, past = KEYS[2 + i], ARGV[4 * i - 1], rare[i]
  if past and past.failures then redis.call('HDEL', key, 'f') end
  if result == '' then
    redis.call('HSET', key, 's', 's', 'u', at)
  else
    if past and past.links and string.find(past.links, 'r', 1, true) then clearBody(key, 'r', 'rt', P .. 'o:' .. past.id) end
    local record = {'s', 's', 'u', at}
    local n = putBody(record, 4, 'r', result, P .. 'o:', string.sub(key, #P + 3))
    if ARGV[4 * i] ~= '' then record[n + 1], record[n + 2], n = 'rt', ARGV[4 * i], n + 2 end
    redis.call('HSET', key, unpack(record, 1, n))
  end
  if past and past.links then moved(past.id, past.kind, past.links, past.state, 's', at) end
end
addAll(enter)
local unblocked = settle()
tick()
emit()
wakeAll(unblocked)
if #refused == 0 then return {'OK', at} end
return {'OK', at, refused}
