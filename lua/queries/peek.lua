-- peek: the tasks that a claim would take now, without taking them; or the queue of several kinds, with what is due later
-- and what is paused.
-- KEYS    1 header  2 guard
-- ARGV    1 most tasks (1-500)  2 flags: d = the longest due first, whatever the priority; s = also tasks that are not due yet
--         3.. kinds, last: manual time, us, or ""
-- RETURNS OK now [row (see shared/row.lua) ...] in the order of claiming
-- EMITS   nothing
-- COST    O(kinds + log n a task)
-- WHY     same order as claim: highest priority first, then the longest due, whatever the kind
-- @include clock
-- @include header
-- @include row
local kinds, fields, named = {}, {}, {}
for i = 3, #ARGV - 1 do
  if not named[ARGV[i]] then
    named[ARGV[i]] = true
    kinds[#kinds + 1] = ARGV[i]
    fields[#kinds] = 'q:' .. ARGV[i]
  end
end
fields[#kinds + 1] = 'gate'
local refusal, head = begin(fields)
if refusal then return refusal end
local limit, reply = tonumber(ARGV[1]), {}
local byDue = string.find(ARGV[2], 'd', 1, true)
local last = string.find(ARGV[2], 's', 1, true) and '+inf' or now
local groups = {}
local isQueue = last == '+inf'
for i = 1, #kinds do
  local flags = head[4 + i] or ''
  local isPaused = head[5 + #kinds] or string.find(flags, '!', 1, true)
  for digit in string.gmatch(isPaused and not isQueue and '' or flags, '%d') do
    local place = byDue and 1 or 10 - digit
    groups[place] = groups[place] or {}
    table.insert(groups[place], P .. 'q:' .. digit .. ':' .. kinds[i])
  end
end
for p = 1, 10 do
  local found, lanes = {}, groups[p] or {}
  for i = 1, #lanes do
    if #reply < limit then
      local range = redis.call('ZRANGEBYSCORE', lanes[i], '-inf', last, 'WITHSCORES', 'LIMIT', 0, limit - #reply)
      for j = 1, #range, 2 do found[#found + 1] = {id = range[j], due = tonumber(range[j + 1])} end
    end
  end
  table.sort(found, function(a, b) return a.due < b.due or a.due == b.due and a.id < b.id end)
  for i = 1, math.min(#found, limit - #reply) do reply[#reply + 1] = row(found[i].id) end
end
return {'OK', at, reply}
