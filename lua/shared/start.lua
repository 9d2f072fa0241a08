-- start: what may keep a task from its first start: its time to begin has passed, or another task has the same content.
-- hindrance(id, kind, links, isFirst) answers nil, "expired", or "deduplicated" and the other task; nil for one that began before,
-- and after an operator's retry, which takes the fields away, so that what somebody asks for runs. What may start counts as
-- started for the others of the same call.
local starting = {}

local function hindrance(id, kind, links, isFirst)
  if isFirst and string.find(links, 'e', 1, true) then
    local expires = redis.call('HGET', P .. 't:' .. id, 'ex')
    if expires and tonumber(expires) <= now then return 'expired' end
  end
  if not string.find(links, 'u', 1, true) then return nil end
  local r = redis.call('HMGET', P .. 't:' .. id, 'uh', 'us', 'ud')
  local content = kind .. '\n' .. r[1]
  if not r[2] or not isFirst then
    starting[content] = id
    return nil
  end
  local states, window = string.match(r[2], '^(%a+) (%d+)')
  local slots = redis.call('HMGET', P .. 'u:' .. kind, r[1], r[1] .. '*')
  for _, other in ipairs({starting[content] or id, slots[2] or id, slots[1] or id, r[3] or id}) do
    local o = other ~= id and redis.call('HMGET', P .. 't:' .. other, 's', 'c') or {}
    local state = other == starting[content] and 'r' or o[1]
    if o[1] and string.find('rhs', state, 1, true) and string.find(states, state, 1, true)
      and (window == '0' or now - tonumber(o[2]) < tonumber(window)) then return 'deduplicated', other end
  end
  starting[content] = id
end

-- Notes which task of its content started last; to be called when one with the letter u starts.
local function started(id, kind)
  local hash = redis.call('HGET', P .. 't:' .. id, 'uh')
  if hash then redis.call('HSET', P .. 'u:' .. kind, hash .. '*', id) end
end

-- Ends a waiting task that is hindered: cancelled, and why. Who calls it notes the event.
local function hinder(id, kind, why, other)
  redis.call('HSET', P .. 't:' .. id, 's', 'c', 'u', at, 'cc', other and why .. ' ' .. other or why)
  redis.call('ZADD', P .. 'c:' .. kind, at, id)
end
