-- moment: what begin in header.lua does, in place of a function, for the scripts that are called most: each function that a
-- script makes costs it as much as a small command. Stands behind clock.lua. `head` is the header's schema, clock and now, and
-- whatever else the script asks for. It sets meta, P, now, at and last, as told there; who needs `held` asks for the field hold. The
-- write that belongs to it is keep.lua.
local meta = KEYS[1]
local P = string.sub(meta, 1, -5)
if head[1] ~= '1' then
  if head[1] then return {'SCHEMA', head[1]} end
  return {'NO_TRACKER'}
end
if (ARGV[#ARGV] ~= '') ~= (head[2] == 'manual') then return {'CLOCK', head[2]} end
-- Adding 0 to a text costs less than tonumber.
local now, last = at + 0, (head[3] or 0) + 0
local function int(n)
  return string.format('%d', n)
end
if now < last then now, at = last, int(last) end
