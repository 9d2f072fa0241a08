-- header: the tracker's header, the time that holds for a script, and numbers as text. Stands behind clock.lua.
-- begin(fields) reads the header once. It returns (nil, values of the further fields) or (refusal). It sets:
--   P     prefix of every key of this partition, "{namespace:partition}:"
--   now   effective time, us since 1970: max(TIME, last time stored), so that it never runs backwards
--   at    the same as text (clock.lua): a number that is handed to redis.call is printed anew each time, which costs more than the text
--   held  true while expired leases must not be taken back, because the clock was seen to jump forwards
-- tick() is the write that belongs to it: it stores the time once a second. It begins with a removal that finds nothing,
-- because after a removal a script may write although the server is at maxmemory.
-- kindCountWith(head, more) is how many kinds there will be: the header has six fields, one more once the clock jumped, one
-- more while the tracker is closed, and two for each kind.
local meta = KEYS[1]
local P = string.sub(meta, 1, -5)
local now, last, held

local function int(n)
  return string.format('%d', n)
end

local function begin(fields)
  local head = redis.call('HMGET', meta, 'schema', 'clock', 'now', 'hold', unpack(fields))
  if head[1] ~= '1' then
    if not head[1] then return {'NO_TRACKER'} end
    return {'SCHEMA', head[1]}
  end
  if (ARGV[#ARGV] ~= '') ~= (head[2] == 'manual') then return {'CLOCK', head[2]} end
  now, last = tonumber(at), tonumber(head[3] or '0')
  if now < last then now, at = last, int(last) end
  held = head[4] and now < tonumber(head[4])
  return nil, head
end

local function tick()
  if now - last >= 1000000 then
    redis.call('HDEL', meta, '')
    redis.call('HSET', meta, 'now', at)
  end
end

local function kindCountWith(head, more)
  local others = 6 + (head[4] and 1 or 0) + (redis.call('HGET', meta, 'gate') and 1 or 0)
  return (redis.call('HLEN', meta) - others) / 2 + more
end
