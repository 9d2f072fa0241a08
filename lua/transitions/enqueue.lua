-- enqueue: creates tasks that are ready, now or later.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    1 request nonce ("" when the ids were generated for this request)  2 actor  3 message for the tasks' logs, or ""
--         4 number of kinds K  5.. K pairs: kind, policy to define it with if it is unknown ("" = refuse)
--         then for each task: kind index (1-K), due ("" = now, "+us" = after, "@us" = at), priority (0-9, 9 first), payload,
--         number of further record fields, and those as field, value ...
--         last: manual time, us, or ""
-- RETURNS OK now [indexes (1..) of tasks whose id exists already, made by another request] [index limit ...]: tasks that were
--         not created because so many of their kind wait already
--         | UNKNOWN_KIND now kind | TOO_LARGE now index limit | FULL now limit
-- EMITS   enqueued per kind
-- COST    O(log n) a task, at most 500 tasks
-- WHY     a repeated request finds its own tasks: a generated id is its own proof, a caller's id keeps the nonce (field o).
--         A task that exists is told of before the limit is, because it takes no room
-- @include clock
-- @include body
-- @include groups
-- @include events
-- @include lines
-- @include wake
local nonce, actor, message, kindCount = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local kinds, fields = {}, {'payload'}
for i = 1, kindCount do
  local kind = ARGV[3 + 2 * i]
  kinds[i] = kind
  fields[2 * i], fields[2 * i + 1] = 'k:' .. kind, 'q:' .. kind
end
local refusal, head = begin(fields)
if refusal then return refusal end
local payloadLimit = tonumber(head[5])
local unknown = 0
for i = 1, kindCount do
  if not head[4 + 2 * i] then
    if ARGV[4 + 2 * i] == '' then return {'UNKNOWN_KIND', at, kinds[i]} end
    unknown = unknown + 1
  end
end
if unknown > 0 and kindCountWith(head, unknown) > 1000 then return {'FULL', at, '1000'} end

local taskCount = #KEYS - 2
local existing = redis.call('EXISTS', unpack(KEYS, 3))
local taken, twins, seen, again, refused = {}, {}, {}, {}, {}
local a = 5 + 2 * kindCount
for i = 1, taskCount do
  local key = KEYS[2 + i]
  if #ARGV[a + 3] > payloadLimit then return {'TOO_LARGE', at, i, int(payloadLimit)} end
  if seen[key] then
    taken[i], again[i] = true, key
  elseif existing > 0 and redis.call('EXISTS', key) == 1 then
    taken[i] = true
    if nonce ~= '' and redis.call('HGET', key, 'o') ~= nonce then twins[#twins + 1] = i end
  end
  seen[key] = true
  a = a + 5 + 2 * ARGV[a + 4]
end

-- Room for waiting tasks, by kind; nil when their number is not limited.
local room, limits, full = {}, {}, {}
for k = 1, kindCount do
  local limit = tonumber(string.match(head[4 + 2 * k] or ARGV[4 + 2 * k], ' (%d+) %a$') or 0)
  if limit > 0 then
    limits[k], room[k] = limit, limit
    for digit in string.gmatch(head[5 + 2 * k] or '', '%d') do
      room[k] = room[k] - redis.call('ZCARD', P .. 'q:' .. digit .. ':' .. kinds[k])
    end
  end
end

local ready, soon, priorities = {}, {}, {}
a = 5 + 2 * kindCount
for i = 1, taskCount do
  local extra = tonumber(ARGV[a + 4])
  local k = tonumber(ARGV[a])
  if again[i] and refused[again[i]] then
    full[#full + 1] = i
    full[#full + 1] = refused[again[i]]
  elseif again[i] then
    twins[#twins + 1] = i
  end
  if not taken[i] and room[k] then
    if room[k] <= 0 then
      taken[i], refused[KEYS[2 + i]] = true, limits[k]
      full[#full + 1] = i
      full[#full + 1] = limits[k]
    end
    room[k] = room[k] - 1
  end
  if not taken[i] then
    local kind, due, priority = kinds[k], ARGV[a + 1], ARGV[a + 2]
    local id = string.sub(KEYS[2 + i], #P + 3)
    local record = {'k', kind, 's', 'q', 'c', at}
    local dueText = at
    if due == '' then
      due = now
    else
      due = tonumber(string.sub(due, 2)) + (string.sub(due, 1, 1) == '+' and now or 0)
      dueText = int(due)
      record[7], record[8] = 'd', dueText
    end
    if priority ~= '5' then record[#record + 1], record[#record + 2] = 'q', priority end
    if nonce ~= '' then record[#record + 1], record[#record + 2] = 'o', nonce end
    for j = a + 5, a + 4 + 2 * extra do record[#record + 1] = ARGV[j] end
    putBody(record, P .. 'b:' .. id, 'p', ARGV[a + 3])
    redis.call('HSET', KEYS[2 + i], unpack(record))
    add(ready, P .. 'q:' .. priority .. ':' .. kind, dueText, id)
    note('enqueued', kind, id)
    if message ~= '' then logLine(id, 'enqueued', actor, message) end
    if due <= now + 1000000 then soon[kind] = (soon[kind] or 0) + 1 end
    local used = priorities[k] or head[5 + 2 * k] or ''
    if not string.find(used, priority, 1, true) then priorities[k] = used .. priority end
  end
  a = a + 5 + 2 * extra
end
for k = 1, kindCount do
  if not head[4 + 2 * k] then redis.call('HSET', meta, 'k:' .. kinds[k], ARGV[4 + 2 * k], 'q:' .. kinds[k], priorities[k] or '5')
  elseif priorities[k] then redis.call('HSET', meta, 'q:' .. kinds[k], priorities[k]) end
end
addAll(ready)
tick()
emit()
wakeAll(soon)
return {'OK', at, twins, full}
