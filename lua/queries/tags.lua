-- tags: how many tasks of a tag are in each state.
-- KEYS    1 header  2 guard
-- ARGV    1.. tags (1-100), last: manual time, us, or ""
-- RETURNS OK now [[ready running paused succeeded exhausted cancelled ignored blocked] ...] in the order of the tags
-- EMITS   nothing
-- COST    O(tags)
-- WHY     counts are the sizes of the indexes, so a tag is a group whose progress is one look
-- @include clock
-- @include header
local refusal = begin({})
if refusal then return refusal end
local reply = {}
for i = 1, #ARGV - 1 do
  local function count(letter) return redis.call('ZCARD', P .. 'm:' .. letter .. ':' .. ARGV[i]) end
  reply[i] = {count('q'), count('r'), count('p') + count('h'), count('s'), count('x'), count('c'), count('n'), count('j')}
end
return {'OK', at, reply}
