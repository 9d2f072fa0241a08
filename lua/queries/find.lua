-- find: pages through tasks by kind and state.
-- KEYS    1 header  2 events
-- ARGV    1 most tasks (1-500)  2 kinds, joined by a newline ("" = all)  3 state letters, in the order wanted
--         4 cursor: "" = from the start, or what the page before returned  5 manual time, us, or ""
-- RETURNS OK now cursor-or-"" [row (see shared/row.lua) ...]; a page may be short although a cursor follows
--         | BAD_CURSOR now: the cursor is of another search, or none
-- EMITS   nothing
-- COST    O(kinds + log n) + O(1) a task; at most 2,000 index entries are looked at
-- WHY     the cursor is a place in the order (index, score, id), not an offset, so tasks that move neither hide nor repeat
--         others. Order: state, kind, priority, then score (due, lease expiry or end), then id
-- @include clock
-- @include allkinds
-- @include row
local refusal = begin({})
if refusal then return refusal end
local limit = tonumber(ARGV[1])
local names, _, priorities = allKinds()
local wanted
if ARGV[2] ~= '' then
  wanted = {}
  for name in string.gmatch(ARGV[2], '[^\n]+') do wanted[name] = true end
end
local indexes, listed = {}, {}
for letter in string.gmatch(ARGV[3], '%a') do
  for i = 1, #names do
    if not listed[letter] and (not wanted or wanted[names[i]]) then
      if letter == 'q' then
        for p = 9, 0, -1 do
          if string.find(priorities[i], tostring(p), 1, true) then indexes[#indexes + 1] = 'q:' .. p .. ':' .. names[i] end
        end
      else
        indexes[#indexes + 1] = letter .. ':' .. names[i]
      end
    end
  end
  listed[letter] = true
end

-- By bytes, as the server orders members; Lua's own comparison follows the server's locale.
local function follows(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- Rank of the first entry after (score, id): by score, then by halving among equal scores, whose ids are in order.
local function rankAfter(key, score, id)
  local low = redis.call('ZCOUNT', key, '-inf', '(' .. score)
  local high = redis.call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if not follows(redis.call('ZRANGE', key, middle, middle)[1], id) then low = middle + 1 else high = middle end
  end
  return low
end

local fromIndex, fromScore, fromId = string.match(ARGV[4], '^([^\n]+)\n(%d+)\n(.*)$')
if ARGV[4] ~= '' and not fromIndex then return {'BAD_CURSOR', int(now)} end
local reply, looked, started = {}, 0, not fromIndex
for i = 1, #indexes do
  local key = P .. indexes[i]
  local start = 0
  if not started and indexes[i] == fromIndex then
    started = true
    start = rankAfter(key, fromScore, fromId)
  end
  while started do
    local asked = math.min(limit - #reply, 2000 - looked)
    local page = redis.call('ZRANGE', key, start, start + asked - 1, 'WITHSCORES')
    for j = 1, #page, 2 do
      looked = looked + 1
      reply[#reply + 1] = row(page[j])
      if #reply >= limit or looked >= 2000 then
        return {'OK', int(now), indexes[i] .. '\n' .. int(tonumber(page[j + 1])) .. '\n' .. page[j], reply}
      end
    end
    if #page < 2 * asked then break end
    start = start + asked
  end
end
if not started then return {'BAD_CURSOR', int(now)} end
return {'OK', int(now), '', reply}
