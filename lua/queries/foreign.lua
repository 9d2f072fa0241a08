-- foreign: foreign tasks: one with its children, a page of many, or how many there are.
-- KEYS    1 header  2 guard
-- ARGV    1 "one", "page" or "counts"  2 one: the task; page: which, "z" = all, "s:<state>", "n:<name>" or "h:<host>"
--         3 most tasks or children, or most names (1-500)  4 page: cursor, "" or what the page before returned
--         5 manual time, us, or ""
-- RETURNS one: OK now [task field value ...] [child ...] | GONE now
--         page: OK now cursor-or-"" [[task field value ...] ...], the latest heard of first | BAD_CURSOR now
--         counts: OK now all events received [state count ...] [name count ...]; counts only of what is there
-- EMITS   nothing
-- COST    O(log n + fields) a task, O(1) a state and name
-- WHY     a cursor is a place in the order (time of the last event, id), so tasks that move neither hide nor repeat others
-- @include clock
-- @include header
local what, which, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local refusal = begin({})
if refusal then return refusal end

local function row(id)
  local r = redis.call('HGETALL', P .. 'y:' .. id)
  table.insert(r, 1, id)
  return r
end

if what == 'one' then
  local r = row(which)
  if #r == 1 then return {'GONE', at} end
  return {'OK', at, r, redis.call('ZRANGE', P .. 'yp:' .. which, 0, limit - 1)}
end

if what == 'counts' then
  local function counts(letter, last)
    local names, reply = redis.call('ZRANGE', P .. letter, 0, last), {}
    for i = 1, #names do
      reply[2 * i - 1], reply[2 * i] = names[i], redis.call('ZCARD', P .. letter .. ':' .. names[i])
    end
    return reply
  end
  local c = redis.call('HMGET', P .. 'yc', 'events', 'received')
  return {'OK', at, redis.call('ZCARD', P .. 'yz'), c[1] or '0', c[2] or '0', counts('ys', -1), counts('yn', limit - 1)}
end

-- By bytes, as the server orders members; Lua's own comparison follows the server's locale.
local function follows(x, y)
  for i = 1, math.min(#x, #y) do
    local b, c = string.byte(x, i), string.byte(y, i)
    if b ~= c then return b > c end
  end
  return #x > #y
end

local key = P .. 'y' .. which
local score, id = string.match(ARGV[4], '^(%d+) (.+)$')
if ARGV[4] ~= '' and not score then return {'BAD_CURSOR', at} end
local stop = redis.call('ZCARD', key)
if score then
  -- How many come before that place: by score, then by halving among equal scores.
  local low = redis.call('ZCOUNT', key, '-inf', '(' .. score)
  stop = redis.call('ZCOUNT', key, '-inf', score)
  while low < stop do
    local middle = math.floor((low + stop) / 2)
    if follows(id, redis.call('ZRANGE', key, middle, middle)[1]) then low = middle + 1 else stop = middle end
  end
end
if stop == 0 then return {'OK', at, '', {}} end
local found, reply = redis.call('ZRANGE', key, math.max(0, stop - limit), stop - 1, 'WITHSCORES'), {}
for i = #found - 1, 1, -2 do reply[#reply + 1] = row(found[i]) end
return {'OK', at, stop > limit and int(tonumber(found[2])) .. ' ' .. found[1] or '', reply}
