-- undefine: removes a kind; with its tasks when forced, a step at a time.
-- KEYS    1 header  2 guard
-- ARGV    1 kind  2 "force" or ""  3 most tasks to delete in this step (1-500)  4 manual time, us, or ""
-- RETURNS OK now more(0|1) deleted | IN_USE now tasks | GONE now: there is no such kind
-- EMITS   deleted (detail: the state it had); undefined with the last step
-- COST    O(log n) a task
-- WHY     the kind goes last, so that a step that was lost can be repeated; it can be repeated then, too, and answers GONE
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include holders
-- @include beside
-- @include forget
-- @include wake
local kind, limit = ARGV[1], tonumber(ARGV[3])
local refusal, head = begin({'k:' .. kind, 'q:' .. kind})
if refusal then return refusal end
if not head[5] then return {'GONE', at} end
local indexes, total = {}, 0
for letter in string.gmatch('rhpjsxcn', '%a') do indexes[#indexes + 1] = letter .. ':' .. kind end
for digit in string.gmatch(head[6] or '5', '%d') do indexes[#indexes + 1] = 'q:' .. digit .. ':' .. kind end
for i = 1, #indexes do total = total + redis.call('ZCARD', P .. indexes[i]) end
if total > 0 and ARGV[2] ~= 'force' then return {'IN_USE', at, total} end
local gone, leave, highest, holders = {}, {}, 0, {}
for i = 1, #indexes do
  local ids = {}
  if #gone < limit then ids = redis.call('ZRANGE', P .. indexes[i], 0, limit - #gone - 1) end
  for j = 1, #ids do
    local letter, r = string.sub(indexes[i], 1, 1), redis.call('HMGET', P .. 't:' .. ids[j], 'g', 'w', 'L', 'P', 'R', 'n', 'a')
    gone[#gone + 1] = {id = ids[j], letter = letter, r = r}
    drop(leave, P .. indexes[i], ids[j])
    highest = math.max(highest, tonumber(r[1] or '0'))
    if r[2] and (letter == 'r' or letter == 'h') then holders[#holders + 1] = r[2] end
    note('deleted', kind, ids[j], letter)
  end
end
removeAll(leave)
for i = 1, #gone do
  local g = gone[i]
  local links = g.r[3]
  if links then moved(g.id, kind, links, g.letter, '-') end
  forget(g.id, g.letter, links, g.r, 4)
end
forgetAll()
local unblocked = settle()
if #gone < total then
  if #gone > 0 then redis.call('HSET', meta, 'now', math.max(now, highest + 1)) end
  emit()
  tellHolders(holders)
  wakeAll(unblocked)
  return {'OK', at, 1, #gone}
end
redis.call('HDEL', meta, 'k:' .. kind, 'q:' .. kind)
redis.call('HDEL', P .. 'gates', kind)
redis.call('UNLINK', P .. 'i:' .. kind, P .. 'k:' .. kind, P .. 'u:' .. kind)
redis.call('HSET', meta, 'now', math.max(now, highest + 1))
note('undefined', kind, '')
emit()
tellHolders(holders)
wakeAll(unblocked)
return {'OK', at, 0, #gone}
