-- complete: ends held tasks with success.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    for each task: token, fence, result, content type ("" = application/json); last: manual time, us, or ""
-- RETURNS OK now [[index STALE|GONE] ...]; a task that is not named is completed | TOO_LARGE now index limit
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
local refused, leave, enter, ended, failures, responses, links = {}, {}, {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local a = 4 * i
  if #ARGV[a - 1] > resultLimit then return {'TOO_LARGE', at, i, int(resultLimit)} end
  local r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'w', 'f', 'L')
  if not r[1] then
    refused[#refused + 1] = {i, 'GONE'}
  elseif r[2] ~= ARGV[a - 3] or r[3] ~= ARGV[a - 2] or (r[1] ~= 'r' and r[1] ~= 's' and r[1] ~= 'h') then
    refused[#refused + 1] = {i, 'STALE'}
  elseif r[1] ~= 's' and not ended[KEYS[2 + i]] then
    local id = string.sub(KEYS[2 + i], #P + 3)
    ended[KEYS[2 + i]] = true
    ended[#ended + 1] = i
    failures[i] = r[6]
    if r[7] then
      links[i] = {r[4], r[7], r[1]}
      responses[i] = string.find(r[7], 'r', 1, true)
    end
    drop(leave, P .. r[1] .. ':' .. r[4], id)
    add(enter, P .. 's:' .. r[4], at, id)
    note('succeeded', r[4], id, nil, r[5])
  end
end
removeAll(leave)
for j = 1, #ended do
  local i = ended[j]
  local record = {'s', 's', 'u', at}
  local a = 4 * i
  if failures[i] then redis.call('HDEL', KEYS[2 + i], 'f') end
  if responses[i] and ARGV[a - 1] ~= '' then clearBody(KEYS[2 + i], 'r', 'rt', P .. 'o:' .. string.sub(KEYS[2 + i], #P + 3)) end
  if ARGV[a - 1] ~= '' and ARGV[a] ~= '' then record[5], record[6] = 'rt', ARGV[a] end
  if ARGV[a - 1] ~= '' then putBody(record, P .. 'o:' .. string.sub(KEYS[2 + i], #P + 3), 'r', ARGV[a - 1]) end
  redis.call('HSET', KEYS[2 + i], unpack(record))
  local l = links[i]
  if l then moved(string.sub(KEYS[2 + i], #P + 3), l[1], l[2], l[3], 's', at) end
end
addAll(enter)
local unblocked = settle()
tick()
emit()
wakeAll(unblocked)
return {'OK', at, refused}
