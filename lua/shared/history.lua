-- history: the attempts of a task that ended in anything but success, in the list a:<id>, oldest first, the last 20.
-- One element per attempt: "number fence begun ended outcome worker due limit", a newline, then the error as the holder
-- wrote it (opaque, may be empty). due is when the task was to run again, "-" when it was not. The latest attempt, while
-- it runs or when it succeeded, is the record itself.
local function remember(id, number, fence, begun, outcome, worker, due, failure)
  local key = P .. 'a:' .. id
  local line = table.concat({number, fence, begun, int(now), outcome, worker, due and int(due) or '-'}, ' ')
  redis.call('RPUSH', key, line .. '\n' .. (failure or ''))
  redis.call('LTRIM', key, -20, -1)
end

-- The outcome of the attempt with this fence, when it is the last one remembered, and the answer that its end was given:
-- a repeated call gets that answer, whatever has become of the task since (an operator may have moved it).
local function remembered(id, fence)
  local line = redis.call('LINDEX', P .. 'a:' .. id, -1)
  if not line then return nil end
  local f, outcome, due = string.match(line, '^%d+ (%d+) %d+ %d+ (%a+) %S+ (%S+)')
  if f ~= fence then return nil end
  return outcome, {outcome == 'cancelled' and 'c' or due == '-' and 'x' or 'q', due}
end
