-- history: the attempts of a task that ended in anything but success, in the list a:<id>, oldest first, the last 20; a
-- success is put there only when the task begins anew. One element per attempt:
-- "number fence begun ended outcome worker due backtrace", a newline, then the error as the holder wrote it (opaque, may be
-- empty). due is when the task was to run again, "-" when it was not, "-n" when it became ignored. backtrace is the SHA-1 of
-- the backtrace, or "-"; its text stands once in the hash e:<id>, however many attempts ended with it. The latest attempt,
-- while it runs or when it succeeded, is the record itself.
local function remember(id, number, fence, begun, outcome, worker, due, failure, backtrace, ended)
  local key, digest = P .. 'a:' .. id, '-'
  if backtrace and backtrace ~= '' then
    digest = redis.sha1hex(backtrace)
    redis.call('HSET', P .. 'e:' .. id, digest, backtrace)
  end
  if type(due) == 'number' then due = int(due) end
  local line = number .. ' ' .. fence .. ' ' .. begun .. ' ' .. (ended or at) .. ' ' .. outcome .. ' ' .. worker .. ' ' .. (due or '-')
    .. ' ' .. digest .. '\n' .. (failure or '')
  if redis.call('RPUSH', key, line) <= 20 then return end
  local oldest = string.match(redis.call('LINDEX', key, 0), '^[^\n]* (%x+)\n')
  redis.call('LTRIM', key, -20, -1)
  if not oldest or #oldest < 40 then return end
  local kept = redis.call('LRANGE', key, 0, -1)
  for i = 1, #kept do
    if string.find(kept[i], ' ' .. oldest .. '\n', 1, true) then return end
  end
  redis.call('HDEL', P .. 'e:' .. id, oldest)
end

-- The outcome of the attempt with this fence, when it is the last one remembered, and the answer that its end was given:
-- a repeated call gets that answer, whatever has become of the task since (an operator may have moved it).
local function remembered(id, fence)
  local line = redis.call('LINDEX', P .. 'a:' .. id, -1)
  if not line then return nil end
  local f, outcome, due = string.match(line, '^%d+ (%d+) %d+ %d+ (%a+) %S+ (%S+)')
  if f ~= fence then return nil end
  return outcome, (outcome == 'cancelled' and 'c' or due == '-' and 'x' or due == '-n' and 'n' or 'q') .. ' ' .. due
end
