-- jump: notices that the server's clock jumped forwards. A caller that has been talking to the server passes its own
-- estimate of the server's time, measured by a monotonic clock; when the server is more than 10 s ahead of it, leases only
-- seem to have run out, and nothing is taken back for the longest lease in use (at least 60 s), in which the living renew.
local function sawJump(estimate)
  local expected = tonumber(estimate)
  if not expected or now <= expected + 10000000 then return false end
  held = true
  return true
end

local function markJump(jumped, policies)
  if not jumped then return end
  local longest = 60000000
  for i = 1, #policies do longest = math.max(longest, tonumber(string.match(policies[i], '^%d+'))) end
  redis.call('HDEL', meta, '')  -- see tick in header.lua
  redis.call('HSET', meta, 'hold', now + longest)
end
