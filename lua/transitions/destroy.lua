-- destroy: deletes a tracker with everything in it, a step at a time.
-- KEYS    1 header  2 guard
-- ARGV    1 cursor: "0" to begin, then what the step before returned  2 manual time, us, or ""
-- RETURNS OK now cursor deleted; the tracker is gone when the cursor is "0"
-- EMITS   nothing
-- COST    O(1,000 keys of the server) a step
-- WHY     the header goes last, so that a step that was lost can be repeated; keys are found by the partition's prefix
-- @include clock
-- @include header
local refusal = begin({})
if refusal then
  if refusal[1] == 'NO_TRACKER' then return {'OK', '0', '0', 0} end
  return refusal
end
local page = redis.call('SCAN', ARGV[1], 'MATCH', P .. '*', 'COUNT', 1000)
local doomed = {}
for i = 1, #page[2] do
  if page[2][i] ~= meta then doomed[#doomed + 1] = page[2][i] end
end
if #doomed > 0 then redis.call('UNLINK', unpack(doomed)) end
if page[1] == '0' then redis.call('UNLINK', meta) end
return {'OK', at, page[1], #doomed}
