-- peek: the tasks that a claim would take now, without taking them.
-- KEYS    1 header  2 events
-- ARGV    1 most tasks (1-500)  2.. kinds, last: manual time, us, or ""
-- RETURNS OK now [row (see shared/row.lua) ...] in the order of claiming
-- EMITS   nothing
-- COST    O(kinds + log n a task)
-- WHY     same order as claim: highest priority first, then the longest due, whatever the kind
-- @include clock
-- @include row
local kinds, fields, named = {}, {}, {}
for i = 2, #ARGV - 1 do
  if not named[ARGV[i]] then
    named[ARGV[i]] = true
    kinds[#kinds + 1] = ARGV[i]
    fields[#kinds] = 'q:' .. ARGV[i]
  end
end
local refusal, head = begin(fields)
if refusal then return refusal end
local limit, reply = tonumber(ARGV[1]), {}
for p = 9, 0, -1 do
  local found = {}
  for i = 1, #kinds do
    if #reply < limit and string.find(head[4 + i] or '', tostring(p), 1, true) then
      local key = P .. 'q:' .. p .. ':' .. kinds[i]
      local range = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit - #reply)
      for j = 1, #range, 2 do found[#found + 1] = {id = range[j], due = tonumber(range[j + 1])} end
    end
  end
  table.sort(found, function(a, b) return a.due < b.due or a.due == b.due and a.id < b.id end)
  for i = 1, math.min(#found, limit - #reply) do reply[#reply + 1] = row(found[i].id) end
end
return {'OK', int(now), reply}
