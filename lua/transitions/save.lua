-- save: the holder keeps data with its task, or the task's response so far; either replaces bytes and content type.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 token  2 fence  3 "v" (data) or "r" (response)  4 bytes  5 content type ("" = application/json)
--         6 manual time, us, or ""
-- RETURNS OK now | STALE now | GONE now | TOO_LARGE now limit
-- EMITS   saved (detail: v or r), unless nothing changed
-- COST    O(size)
-- WHY     data goes on to the next attempt, a response ends as the result; nobody but the holder of the lock writes either
-- @include clock
-- @include header
-- @include body
-- @include events
local key, name = KEYS[3], ARGV[3]
local id = string.sub(key, #P + 3)
local own = P .. (name == 'v' and 'd:' or 'o:') .. id
local big, typeField = string.upper(name), name .. 't'
local contentType = ARGV[4] ~= '' and ARGV[5] or ''  -- no bytes have no type
local r = redis.call('HMGET', key, 's', 't', 'g', 'k', 'w', name, name .. '1', name .. '2', name .. '3', big, typeField, 'L')
local refusal, head = begin({'payload'})
if refusal then return refusal end
if not r[1] then return {'GONE', at} end
if r[1] ~= 'r' and r[1] ~= 'h' or r[2] ~= ARGV[1] or r[3] ~= ARGV[2] then return {'STALE', at} end
if #ARGV[4] > tonumber(head[5]) then return {'TOO_LARGE', at, int(tonumber(head[5]))} end
if joinBody(r[6], r[7], r[8], r[9], r[10], own) == ARGV[4] and (r[11] or '') == contentType then return {'OK', at} end
clearBody(key, name, typeField, own)
local record = {}
putBody(record, 0, name, ARGV[4], own, '')
if contentType ~= '' then record[#record + 1], record[#record + 2] = typeField, contentType end
if #record > 0 then
  local links = r[12] or ''
  if not string.find(links, name, 1, true) then record[#record + 1], record[#record + 2] = 'L', links .. name end
  redis.call('HSET', key, unpack(record))
end
tick()
note('saved', r[4], id, name, r[5])
emit()
return {'OK', at}
