-- lines: the log of a task, the list l:<id>, oldest first, the last 100. It holds what the record and its attempts do not
-- tell: what operators did, pauses, and messages. One element: "time event actor nonce", a newline, then the message.
-- wasLogged(id, nonce) finds a request among the last eight lines.
local function wasLogged(id, nonce)
  local last = redis.call('LRANGE', P .. 'l:' .. id, -8, -1)
  for i = 1, #last do
    if string.match(last[i], '^%d+ %S+ %S+ (%S+)') == nonce then return true end
  end
  return false
end

local function logLine(id, event, actor, message, nonce)
  local key = P .. 'l:' .. id
  local line = at .. ' ' .. event .. ' ' .. actor .. ' ' .. (nonce or '-') .. '\n' .. message
  if redis.call('RPUSH', key, line) > 100 then redis.call('LTRIM', key, -100, -1) end
end
