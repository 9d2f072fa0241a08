-- find: pages through tasks by kind, state, tag, worker and time, in the order of time, whatever the kind.
-- KEYS    1 header  2 guard
-- ARGV    1 most tasks (1-500)  2 kinds, joined by a newline ("" = all)  3 state letters, in the order wanted
--         4 "old" or "new": which come first within a state  5 cursor: "" = from the start, or what the page before returned
--         6 tag, or ""  7 worker of the latest attempt, or ""  8 created from, 9 created before, us, or ""
--         10 manual time, us, or ""
-- RETURNS OK now cursor-or-"" [row (see shared/row.lua) ...]; a page may be short although a cursor follows
--         | BAD_CURSOR now: the cursor is of another search, or none
-- EMITS   nothing
-- COST    O(indexes * log n) + O(1) a task; about 2,000 index entries are looked at, 500 when a worker or a time was asked for,
--         at least one of each index that holds any
-- WHY     the cursor is a place in the order (state, score, id), not an offset, so tasks that move neither hide nor repeat
--         others. The score is the due time, the end of the lease, or when the task was paused or ended; equals by id.
--         Of a tag, running tasks come by the time they were claimed
-- @include clock
-- @include header
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

-- The row of a task, when it is one of those that were asked for. Most are not, so little of them is read.
local function match(id)
  if isFiltered then
    local r = redis.call('HMGET', P .. 't:' .. id, 'k', 'w', 'c')
    if not r[1] or wanted and not wanted[r[1]] or worker ~= '' and r[2] ~= worker then return nil end
    local created = tonumber(r[3])
    if from and created < from or before and created >= before then return nil end
  end
  return row(id)
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
    if #keys > 1 then keys = present(keys) end
    -- Some of each index; what lies beyond the first end of these may have others before it that were not seen.
    local room = math.floor(((isFiltered and 500 or 2000) - looked) / math.max(1, #keys))
    local chunk = math.max(1, isFiltered and room or math.min(limit - #reply, room))
    local ids, scores, horizon = {}, {}, nil
    for i = 1, #keys do
      local page = {}
      if not newest then
        local start = continued and rankOf(keys[i], fromScore, fromId) or 0
        page = redis.call('ZRANGE', keys[i], start, start + chunk - 1, 'WITHSCORES')
      elseif not continued then
        page = redis.call('ZRANGE', keys[i], -chunk, -1, 'WITHSCORES')
      else
        local stop = rankOf(keys[i], fromScore, fromId)
        if stop > 0 then page = redis.call('ZRANGE', keys[i], math.max(0, stop - chunk), stop - 1, 'WITHSCORES') end
      end
      for j = 1, #page, 2 do
        ids[#ids + 1], scores[#scores + 1] = page[j], tonumber(page[j + 1])
      end
      looked = looked + #page / 2
      if #page == 2 * chunk then
        local place = newest and #ids - chunk + 1 or #ids
        local last = {id = ids[place], score = scores[place]}
        if not horizon or precedes(last, horizon) then horizon = last end
      end
    end
    -- Of several indexes only what may come into this page is put in order: comparing is what costs.
    local bound, isCut, found = nil, false, {}
    if #keys > 1 and not isFiltered and #ids > limit - #reply then
      local inOrder = {}
      for i = 1, #scores do inOrder[i] = scores[i] end
      table.sort(inOrder)
      bound = newest and inOrder[#inOrder - limit + #reply + 1] or inOrder[limit - #reply]
    end
    for i = 1, #ids do
      local place = newest and #ids - i + 1 or i
      if bound and (newest and scores[place] < bound or not newest and scores[place] > bound) then isCut = true
      else found[#found + 1] = {id = ids[place], score = scores[place]} end
    end
    if #keys > 1 then table.sort(found, precedes) end
    for i = 1, #found do
      reply[#reply + 1] = match(found[i].id)
      if #reply >= limit or horizon and found[i].id == horizon.id or isCut and i == #found then
        return {'OK', at, letter .. ' ' .. int(found[i].score) .. ' ' .. found[i].id, reply}
      end
    end
    fromState = nil
  end
  listed[letter] = true
end
return {'OK', at, '', reply}
