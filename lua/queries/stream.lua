-- stream: events from a position on, oldest first.
-- KEYS    1 header  2 guard
-- ARGV    1 id of the entry to begin with, which was seen before: "" = the oldest that is kept, "$" = the newest
--         2 most entries (2-500)  3 manual time, us, or ""
-- RETURNS OK now lost(0|1) [[id [field value ...]] ...]; lost: that entry is not kept any more, nor perhaps some after it
-- EMITS   nothing
-- COST    O(entries); a page ends early once its entries hold 256 KiB (an entry of 500 tasks is about 16 KiB)
-- WHY     the stream is trimmed by length, so a reader that was away too long must be told; an entry that still stands at its
--         own id proves that nothing after it is missing
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local from, limit, entries, size = ARGV[1], tonumber(ARGV[2]), {}, 0
if from == '$' then return {'OK', at, 0, redis.call('XREVRANGE', P .. 'events', '+', '-', 'COUNT', 1)} end
local start = from == '' and '-' or from
repeat
  local wanted = math.min(20, limit - #entries)
  local some = redis.call('XRANGE', P .. 'events', start, '+', 'COUNT', wanted)
  for i = 1, #some do
    entries[#entries + 1] = some[i]
    for j = 1, #some[i][2] do size = size + #some[i][2][j] end
  end
  if #some > 0 then start = '(' .. some[#some][1] end
until #some < wanted or #entries >= limit or size >= 262144
local lost = from ~= '' and from ~= '0-0' and (not entries[1] or entries[1][1] ~= from)
return {'OK', at, lost and 1 or 0, entries}
