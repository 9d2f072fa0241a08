-- row: what a listing shows of a task: id kind state attempts failures crashes priority created updated begun worker due progress
-- message. Numbers that are absent from the record are told as they are meant (0, priority 5, updated = created).
local function row(id)
  local r = redis.call('HMGET', P .. 't:' .. id, 'k', 's', 'n', 'f', 'x', 'q', 'c', 'u', 'b', 'w', 'd', 'pg', 'pm')
  if not r[1] then return nil end
  return {id, r[1], r[2], r[3] or '0', r[4] or '0', r[5] or '0', r[6] or '5', r[7], r[8] or r[7], r[9] or '', r[10] or '',
    r[11] or r[7], r[12] or '', r[13] or ''}
end
