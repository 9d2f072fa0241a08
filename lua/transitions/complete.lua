-- complete: ends held tasks with success.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    for each task: token, fence, result, content type ("" = application/json); last: manual time, us, or ""
-- RETURNS OK now [[index STALE|GONE] ...]; a task that is not named is completed | TOO_LARGE now index limit
-- EMITS   succeeded per kind and worker
-- COST    O(log n) a task, at most 500 tasks
-- WHY     accepted after the lease ran out as long as nobody took the task over: token and fence are still the latest.
--         Token and fence stay in the record, so a repeated request gets the same answer
-- @include clock
-- @include body
-- @include groups
-- @include events
local refusal, head = begin({'payload'})
if refusal then return refusal end
local resultLimit = tonumber(head[5])
local refused, leave, enter, ended = {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local a = 4 * i
  if #ARGV[a - 1] > resultLimit then return {'TOO_LARGE', int(now), i, int(resultLimit)} end
  local r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'w')
  if not r[1] then
    refused[#refused + 1] = {i, 'GONE'}
  elseif r[2] ~= ARGV[a - 3] or r[3] ~= ARGV[a - 2] or (r[1] ~= 'r' and r[1] ~= 's') then
    refused[#refused + 1] = {i, 'STALE'}
  elseif r[1] == 'r' and not ended[KEYS[2 + i]] then
    local id = string.sub(KEYS[2 + i], #P + 3)
    ended[KEYS[2 + i]] = true
    ended[#ended + 1] = i
    drop(leave, P .. 'r:' .. r[4], id)
    add(enter, P .. 's:' .. r[4], now, id)
    note('succeeded', r[4], id, nil, r[5])
  end
end
removeAll(leave)
for j = 1, #ended do
  local i = ended[j]
  local record = {'s', 's', 'u', now}
  local a = 4 * i
  if ARGV[a] ~= '' then record[5], record[6] = 'rt', ARGV[a] end
  if ARGV[a - 1] ~= '' then putBody(record, P .. 'o:' .. string.sub(KEYS[2 + i], #P + 3), 'r', ARGV[a - 1]) end
  redis.call('HSET', KEYS[2 + i], unpack(record))
end
addAll(enter)
tick()
emit()
return {'OK', int(now), refused}
