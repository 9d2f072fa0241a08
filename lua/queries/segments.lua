-- segments: the registered segments of pipelines, the newest first, each with how many of its tasks are in each state.
-- KEYS    1 header  2 guard
-- ARGV    1 most segments (1-100)  2 cursor: "" = from the newest, or what the page before returned  3 name, or ""
--         4 name@key joined by newlines ("" = all)  5 tag, or ""  6 created from, 7 created before, us, or ""
--         8 manual time, us, or ""
-- RETURNS OK now cursor-or-"" [[name@key name key version kind parameters parents rule tag created ready running paused succeeded
--         exhausted cancelled ignored blocked] ...]; parents: name@key joined by newlines
--         | BAD_CURSOR now
-- EMITS   nothing
-- COST    O(segments), at most 1,000
-- WHY     the cursor is the time of creation, which each segment has for itself, so a page neither hides nor repeats any
-- @include clock
-- @include header
local limit, cursor, name, tag = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[5]
local from, before = tonumber(ARGV[6]), tonumber(ARGV[7])
local refusal = begin({})
if refusal then return refusal end
if cursor ~= '' and not string.find(cursor, '^%d+$') then return {'BAD_CURSOR', at} end
local last, wanted, reply = tonumber(cursor), nil, {}
if ARGV[4] ~= '' then
  wanted = {}
  for instance in string.gmatch(ARGV[4], '[^\n]+') do wanted[instance] = true end
end
local all = redis.call('ZRANGE', P .. 'segments', 0, -1, 'WITHSCORES')
for i = #all - 1, 1, -2 do
  local instance, created = all[i], tonumber(all[i + 1])
  if (not last or created < last) and (not from or created >= from) and (not before or created < before)
    and (not wanted or wanted[instance]) then
    local r = redis.call('HMGET', P .. 'S:' .. instance, 'n', 'k', 'v', 'i', 'p', 'f', 'r', 'g', 'c')
    if r[1] and (name == '' or r[1] == name) and (tag == '' or r[8] == tag) then
      if #reply >= limit then return {'OK', at, reply[#reply][10], reply} end
      local function count(letter) return redis.call('ZCARD', P .. 'm:' .. letter .. ':' .. instance) end
      reply[#reply + 1] = {instance, r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], count('q'), count('r'),
        count('p') + count('h'), count('s'), count('x'), count('c'), count('n'), count('j')}
    end
  end
end
return {'OK', at, '', reply}
