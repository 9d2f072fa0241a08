-- find: pages through tasks by kind, state, tag, worker and time, in the order of time, whatever the kind.
-- KEYS    1 header  2 events
-- ARGV    1 most tasks (1-500)  2 kinds, joined by a newline ("" = all)  3 state letters, in the order wanted
--         4 "old" or "new": which come first within a state  5 cursor: "" = from the start, or what the page before returned
--         6 tag, or ""  7 worker of the latest attempt, or ""  8 created from, 9 created before, us, or ""
--         10 manual time, us, or ""
-- RETURNS OK now cursor-or-"" [row (see shared/row.lua) ...]; a page may be short although a cursor follows
--         | BAD_CURSOR now: the cursor is of another search, or none
-- EMITS   nothing
-- COST    O(indexes * log n) + O(1) a task; about 2,000 index entries are looked at, 500 when a worker or a time was asked for,
--         at least one of each index
-- WHY     the cursor is a place in the order (state, score, id), not an offset, so tasks that move neither hide nor repeat
--         others. The score is the due time, the end of the lease, or when the task was paused or ended; equals by id.
--         Of a tag, running tasks come by the time they were claimed
-- @include clock
-- @include allkinds
-- @include row
local refusal = begin({})
if refusal then return refusal end
local limit, newest = tonumber(ARGV[1]), ARGV[4] == 'new'
local tag, worker, from, before = ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local isFiltered = worker ~= '' or from or before or tag ~= '' and ARGV[2] ~= ''
local names, _, flags = allKinds()
local wanted
if ARGV[2] ~= '' then
  wanted = {}
  for name in string.gmatch(ARGV[2], '[^\n]+') do wanted[name] = true end
end

-- The row of a task, when it is one of those that were asked for.
local function match(id)
  local r = row(id)
  if not r or wanted and not wanted[r[2]] or worker ~= '' and r[11] ~= worker then return nil end
  local created = tonumber(r[8])
  if from and created < from or before and created >= before then return nil end
  return r
end

-- By bytes, as the server orders members; Lua's own comparison follows the server's locale.
local function follows(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- Whether one entry comes before another in the order wanted.
local function precedes(a, b)
  if a.score ~= b.score then return (a.score < b.score) ~= newest end
  return a.id ~= b.id and follows(a.id, b.id) == newest
end

-- How many entries of an index come before a place, by score, then by halving among equal scores, whose ids are in order;
-- the entry of that place itself counts when the oldest come first.
local function rankOf(key, score, id)
  local low = redis.call('ZCOUNT', key, '-inf', '(' .. score)
  local high = redis.call('ZCOUNT', key, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local member = redis.call('ZRANGE', key, middle, middle)[1]
    if follows(id, member) or member == id and not newest then low = middle + 1 else high = middle end
  end
  return low
end

local fromState, fromScore, fromId = string.match(ARGV[5], '^(%a) (%d+) (.*)$')
if ARGV[5] ~= '' and (not fromState or not string.find(ARGV[3], fromState, 1, true)) then return {'BAD_CURSOR', at} end
local reply, looked, listed = {}, 0, {}
for letter in string.gmatch(ARGV[3], '%a') do
  local continued = letter == fromState
  if not listed[letter] and (continued or not fromState) then
    local keys = {}
    if tag ~= '' then keys[1] = P .. 'm:' .. letter .. ':' .. tag end
    for i = 1, tag ~= '' and 0 or #names do
      if not wanted or wanted[names[i]] then
        if letter ~= 'q' then
          keys[#keys + 1] = P .. letter .. ':' .. names[i]
        else
          for digit in string.gmatch(flags[i], '%d') do keys[#keys + 1] = P .. 'q:' .. digit .. ':' .. names[i] end
        end
      end
    end
    -- Some of each index; what lies beyond the first end of these may have others before it that were not seen.
    local room = math.floor(((isFiltered and 500 or 2000) - looked) / math.max(1, #keys))
    local chunk = math.max(1, isFiltered and room or math.min(limit - #reply, room))
    local found, horizon = {}, nil
    for i = 1, #keys do
      local page, last = {}, nil
      if newest then
        local stop = continued and rankOf(keys[i], fromScore, fromId) or redis.call('ZCARD', keys[i])
        if stop > 0 then page = redis.call('ZRANGE', keys[i], math.max(0, stop - chunk), stop - 1, 'WITHSCORES') end
      else
        local start = continued and rankOf(keys[i], fromScore, fromId) or 0
        page = redis.call('ZRANGE', keys[i], start, start + chunk - 1, 'WITHSCORES')
      end
      for j = 1, #page, 2 do
        local entry = {id = page[j], score = tonumber(page[j + 1])}
        found[#found + 1] = entry
        if not last or precedes(last, entry) then last = entry end
      end
      looked = looked + #page / 2
      if #page == 2 * chunk and (not horizon or precedes(last, horizon)) then horizon = last end
    end
    table.sort(found, precedes)
    for i = 1, #found do
      reply[#reply + 1] = match(found[i].id)
      if #reply >= limit or found[i] == horizon then
        return {'OK', at, letter .. ' ' .. int(found[i].score) .. ' ' .. found[i].id, reply}
      end
    end
    fromState = nil
  end
  listed[letter] = true
end
return {'OK', at, '', reply}
