-- retry: an operator runs tasks again: an ended or paused one anew, a waiting one now, when forced a running one too.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    1 "fresh" (attempts, failures and crashes begin at 0) or "kept" (one more attempt beyond those used)
--         2 "force" (take running tasks from their holders) or ""  3 actor  4 message  5 nonce of the request
--         6 manual time, us, or ""
-- RETURNS OK now [READY | RUNNING | GONE ...] in the order of the tasks
-- EMITS   requeued per kind (detail: the state before); superseded for each that was taken from its holder
-- COST    O(log n) a task, at most 500 tasks
-- WHY     the nonce stands in the log, so a repeat finds what it did although the task was claimed since.
--         The way back from an end is always somebody's decision, so it is beyond the limit of waiting tasks; fence, data and
--         history go on, a success is put into the history
-- @include clock
-- @include groups
-- @include events
-- @include holders
-- @include history
-- @include lines
-- @include policy
-- @include wake
local kinds, records = {}, {}
for i = 1, #KEYS - 2 do
  local r = redis.call('HMGET', KEYS[2 + i], 's', 'k', 'q', 'n', 'l', 'd', 'c', 'g', 'b', 'w', 'u')
  records[i] = r
  if r[2] and not kinds[r[2]] then
    kinds[r[2]] = true
    kinds[#kinds + 1] = 'k:' .. r[2]
  end
end
local refusal, head = begin(kinds)
if refusal then return refusal end
for i = 1, #kinds do kinds[string.sub(kinds[i], 3)] = parsePolicy(head[4 + i]) end
local answers, leave, enter, moves, soon, seen, holders = {}, {}, {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local r = records[i]
  local id = string.sub(KEYS[2 + i], #P + 3)
  if not r[1] then
    answers[i] = 'GONE'
  elseif wasLogged(id, ARGV[5]) then
    answers[i] = 'READY'
  elseif (r[1] == 'r' or r[1] == 'h') and ARGV[2] ~= 'force' then
    answers[i] = 'RUNNING'
  else
    answers[i] = 'READY'
    local waits = r[1] == 'q'
    if not seen[id] and (not waits or tonumber(r[6] or r[7]) > now) then
      local queue = P .. 'q:' .. (r[3] or '5') .. ':' .. r[2]
      moves[#moves + 1] = {key = KEYS[2 + i], id = id, r = r, waits = waits}
      drop(leave, waits and queue or P .. r[1] .. ':' .. r[2], id)
      add(enter, queue, at, id)
      note('requeued', r[2], id, r[1])
      if r[1] == 'r' or r[1] == 'h' then note('superseded', r[2], id, 'q', r[10]) end
      soon[r[2]] = (soon[r[2]] or 0) + 1
    end
  end
  seen[id] = true
end
removeAll(leave)
for i = 1, #moves do
  local m = moves[i]
  local r, held_ = m.r, m.r[1] == 'r' or m.r[1] == 'h'
  if held_ or r[1] == 's' then
    remember(m.id, r[4], r[8], r[9], held_ and 'superseded' or 'succeeded', r[10], held_ and now, '', nil, r[1] == 's' and r[11])
  end
  logLine(m.id, 'requeued', ARGV[3], ARGV[4], ARGV[5])
  if held_ then holders[#holders + 1] = r[10] end
  if not m.waits then
    redis.call('HDEL', m.key, 'X', 'cr', 'pg', 'pm', 'to', 'rn', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
    redis.call('UNLINK', P .. 'o:' .. m.id)
    if ARGV[1] == 'fresh' then
      redis.call('HDEL', m.key, 'n', 'f', 'x', 'z')
    else
      local limit, used = tonumber(m.r[5] or '0'), tonumber(m.r[4] or '0')
      if limit == 0 then limit = kinds[m.r[2]].attempts end
      if used >= limit then redis.call('HSET', m.key, 'l', used + 1) end
    end
  end
  redis.call('HSET', m.key, 's', 'q', 'u', at, 'd', at)
end
addAll(enter)
tick()
emit()
wakeAll(soon)
tellHolders(holders)
return {'OK', at, answers}
