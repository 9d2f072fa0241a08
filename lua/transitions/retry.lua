-- retry: an operator runs tasks again: an ended or paused one anew, a waiting one now, when forced a running or blocked one too.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    1 "fresh" (attempts, failures and crashes begin at 0) or "kept" (one more attempt beyond those used)
--         2 "force" (take running tasks from their holders, do not wait for parents) or ""  3 actor  4 message
--         5 nonce of the request  6 tag: its tasks, in place of KEYS 3..; or ""  7 letters of the states in which tasks of the
--         tag are meant  8 most tasks of the tag (1-500)  9 manual time, us, or ""
-- RETURNS OK now [READY | WAITING | RUNNING | BLOCKED | GONE ...] in the order of the tasks, more(0|1): of the tag; WAITING: it
--         waits for its parents again; BLOCKED: refused, it waits for parents
-- EMITS   requeued per kind (detail: the state before); blocked when it waits for its parents again; superseded for each that
--         was taken from its holder
-- COST    O(log n) a task and parent, at most 500 tasks
-- WHY     the nonce stands in the log, so a repeat finds what it did although the task was claimed since.
--         The way back from an end is always somebody's decision, so it is beyond the limit of waiting tasks; fence, data and
--         history go on, a success is put into the history. A task whose parents are run again in the same call, or have not
--         ended, waits for them; one that can never have what it needs runs all the same, since somebody asked for it
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include kin
-- @include holders
-- @include history
-- @include lines
-- @include policy
-- @include targets
-- @include wake
local refusal = begin({})
if refusal then return refusal end
needKin()
local keys, more = targets(ARGV[6], ARGV[7], tonumber(ARGV[8]))
local kinds, records = {}, {}
for i = 1, #keys do
  local r = redis.call('HMGET', keys[i], 's', 'k', 'q', 'n', 'l', 'd', 'c', 'g', 'b', 'w', 'u', 'L', 'pc')
  records[i] = r
  if r[2] and not kinds[r[2]] then kinds[r[2]] = parsePolicy(redis.call('HGET', meta, 'k:' .. r[2])) end
end
local answers, leave, enter, moves, soon, seen, holders = {}, {}, {}, {}, {}, {}, {}
for i = 1, #keys do
  local r = records[i]
  local id = string.sub(keys[i], #P + 3)
  local isHeld = r[1] == 'r' or r[1] == 'h'
  if not r[1] then
    answers[i] = 'GONE'
  elseif wasLogged(id, ARGV[5]) then
    answers[i] = r[1] == 'j' and 'WAITING' or 'READY'
  elseif isHeld and ARGV[2] ~= 'force' then
    answers[i] = 'RUNNING'
  elseif r[1] == 'j' and ARGV[2] ~= 'force' then
    answers[i] = 'BLOCKED'
  else
    answers[i] = 'READY'
    local waits = r[1] == 'q'
    if not seen[id] and (not waits or tonumber(r[6] or r[7]) > now) then
      local m = {i = i, key = keys[i], id = id, r = r, waits = waits, isHeld = isHeld}
      m.mayWait = over[r[1]] and r[12] and string.find(r[12], 'p', 1, true)
      moves[#moves + 1] = m
      drop(leave, waits and P .. 'q:' .. (r[3] or '5') .. ':' .. r[2] or P .. r[1] .. ':' .. r[2], id)
    end
  end
  seen[id] = true
end
removeAll(leave)
for i = 1, #moves do
  local m = moves[i]
  local r = m.r
  if m.isHeld or r[1] == 's' then
    remember(m.id, r[4], r[8], r[9], m.isHeld and 'superseded' or 'succeeded', r[10], m.isHeld and now, '', nil,
      r[1] == 's' and r[11])
  end
  logLine(m.id, 'requeued', ARGV[3], ARGV[4], ARGV[5])
  if m.isHeld then holders[#holders + 1] = r[10] end
  if not m.waits then
    redis.call('HDEL', m.key, 'X', 'cr', 'cc', 'sg', 'ex', 'us', 'pg', 'pm', 'to', 'rn', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
    redis.call('UNLINK', P .. 'o:' .. m.id)
    if ARGV[1] == 'fresh' then
      redis.call('HDEL', m.key, 'f', 'x', 'z')
      -- A claim asks for the fence before where there is a number of attempts.
      if r[4] then redis.call('HSET', m.key, 'n', '0') end
    else
      local limit, used = tonumber(r[5] or '0'), tonumber(r[4] or '0')
      if limit == 0 then limit = kinds[r[2]].attempts end
      if used >= limit then redis.call('HSET', m.key, 'l', used + 1) end
    end
  end
  redis.call('HSET', m.key, 's', m.mayWait and 'j' or 'q', 'u', at, 'd', at, 'a', '1')
  if r[12] then moved(m.id, r[2], r[12], r[1], m.mayWait and 'j' or 'q', at) end
end
-- Parents that are run again in this call have their state now.
for i = 1, #moves do
  local m = moves[i]
  local r, to = m.r, 'q'
  if m.mayWait then
    local condition, needed, left = string.sub(r[13], 1, 1), tonumber(string.sub(r[13], 2)), nil
    to, needed, left = judge(m.id, redis.call('LRANGE', P .. 'g:' .. m.id, 0, -1), condition, needed)
    if to == 'j' then
      redis.call('HSET', m.key, 'pn', needed, 'pw', left)
      answers[m.i] = 'WAITING'
    else
      to = 'q'
      redis.call('HSET', m.key, 's', 'q')
      moved(m.id, r[2], r[12], 'j', 'q', at)
    end
  end
  add(enter, to == 'j' and P .. 'j:' .. r[2] or P .. 'q:' .. (r[3] or '5') .. ':' .. r[2], at, m.id)
  if to == 'q' then
    note('requeued', r[2], m.id, r[1])
    if m.isHeld then note('superseded', r[2], m.id, 'q', r[10]) end
    soon[r[2]] = (soon[r[2]] or 0) + 1
  else
    note('blocked', r[2], m.id)
  end
end
addAll(enter)
settle()
tick()
emit()
wakeAll(soon)
tellHolders(holders)
return {'OK', at, answers, more}
