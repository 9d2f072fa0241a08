-- claim: takes up to n due tasks of several kinds: highest priority first, then the longest due, whatever the kind; or, when
-- asked, the longest due first, whatever kind and priority.
-- KEYS    1 header  2 events
-- ARGV    1 token  2 worker  3 n (1-500)  4 lease, us ("" = each kind's own)  5 lane (names one of a worker's claim loops)
--         6 wait, us: when nothing is due, stand in line for a wake-up for so long ("" = do not)
--         7 flags: w = the worker may still stand in line, d = the longest due first  8 the caller's estimate of now, us, or ""
--         9.. kinds, last: manual time, us, or ""
-- RETURNS OK now [[id kind attempt fence expires begun payload created due failures crashes content-type trace
--         data data-type] ...]
--         | EMPTY now next-due-or-""
-- EMITS   claimed per kind (details: fence), reaped for leases taken back, orphaned for an index entry without its task
-- COST    O(log n) a task; up to 10 expired leases are taken back on the way, so a tracker without a reaper lives
-- WHY     the worker's last claim is kept by token (w:<worker>, field c<lane>), so a repeated request gets the same grant
-- @include clock
-- @include body
-- @include groups
-- @include events
-- @include history
-- @include policy
-- @include wake
-- @include expire
-- @include jump
local token, worker, count, ownLease, lane, wait = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local mayWait, byDue = string.find(ARGV[7], 'w', 1, true), string.find(ARGV[7], 'd', 1, true)
local kinds, fields, policies, named = {}, {}, {}, {}
for i = 9, #ARGV - 1 do
  if not named[ARGV[i]] then
    named[ARGV[i]] = true
    kinds[#kinds + 1] = ARGV[i]
    fields[#fields + 1] = 'k:' .. ARGV[i]
    fields[#fields + 1] = 'q:' .. ARGV[i]
  end
end
fields[#fields + 1] = 'gate'
local refusal, head = begin(fields)
if refusal then return refusal end
local jumped = sawJump(ARGV[8])

local workerKey = P .. 'w:' .. worker
local function payload(id, r) return joinBody(r[4], r[5], r[6], r[7], r[8], P .. 'b:' .. id) end
local function grant(id, r, n, fence, expires, begun, body, trace)
  local data, dataType = joinData(P .. 't:' .. id, id, r[15], r[16])
  return {id, r[1], n, fence, expires, begun, body, r[9], r[10] or r[9], r[11] or '0', r[12] or '0', r[13] or '', trace, data,
    dataType}
end

local previous = redis.call('HGET', workerKey, 'c' .. lane)
if previous and string.sub(previous, 1, #token + 1) == token .. '\n' then
  local again = {}
  for id in string.gmatch(string.sub(previous, #token + 1), '\n([^\n]+)') do
    local r = redis.call('HMGET', P .. 't:' .. id, 'k', 's', 't', 'p', 'p1', 'p2', 'p3', 'P', 'c', 'd', 'f', 'x', 'ct', 'tr', 'v', 'V',
      'n', 'g', 'b')
    if (r[2] == 'r' or r[2] == 'h') and r[3] == token then
      local expires = redis.call('ZSCORE', P .. r[2] .. ':' .. r[1], id)
      again[#again + 1] = grant(id, r, tonumber(r[17]), r[18], expires and int(expires) or at, r[19], payload(id, r),
        joinTrace(P .. 't:' .. id, r[14]))
    end
  end
  return {'OK', at, again}
end

-- Lanes by priority, 9 first; all lanes in one group when the longest due is to come first. A paused kind has none, but its
-- expired leases are taken back as others are.
local isPaused = head[4 + #fields]
local known, flags, groups = {}, {}, {}
for i = 1, #kinds do
  local policy = head[3 + 2 * i]
  if policy then
    local n = #known + 1
    known[n], policies[n], flags[n] = kinds[i], policy, head[4 + 2 * i] or '5'
    local open = not isPaused and not string.find(flags[n], '!', 1, true) and flags[n] or ''
    for digit in string.gmatch(open, '%d') do
      local place = byDue and 1 or 10 - digit
      groups[place] = groups[place] or {}
      table.insert(groups[place], {kind = n, key = P .. 'q:' .. digit .. ':' .. known[n]})
    end
  end
end
readExpired(known, policies, flags, 10)

-- Candidates in the order of claiming, each with its record.
local picked, orphans = {}, {}
for p = 1, 10 do
  local lanes = groups[p]
  if lanes and #picked < count then
    local found = {}
    for i = 1, #lanes do
      local key = lanes[i].key
      if #lanes == 1 then  -- scores are dear to print, and needed only to merge lanes
        local range = redis.call('ZRANGEBYSCORE', key, '-inf', at, 'LIMIT', 0, count - #picked)
        for j = 1, #range do found[j] = {id = range[j], kind = lanes[i].kind, key = key} end
      else
        local range = redis.call('ZRANGEBYSCORE', key, '-inf', at, 'WITHSCORES', 'LIMIT', 0, count - #picked)
        for j = 1, #range, 2 do
          found[#found + 1] = {id = range[j], due = tonumber(range[j + 1]), kind = lanes[i].kind, key = key}
        end
      end
    end
    if #lanes > 1 then table.sort(found, function(a, b) return a.due < b.due or a.due == b.due and a.id < b.id end) end
    for i = 1, math.min(#found, count - #picked) do
      local c = found[i]
      c.r = redis.call('HMGET', P .. 't:' .. c.id, 'k', 's', 'n', 'p', 'p1', 'p2', 'p3', 'P', 'c', 'd', 'f', 'x', 'ct', 'tr', 'v',
        'V', 'g')
      if c.r[2] == 'q' and c.r[1] == known[c.kind] then
        c.body, c.trace = payload(c.id, c.r), joinTrace(P .. 't:' .. c.id, c.r[14])
        picked[#picked + 1] = c
      else
        orphans[#orphans + 1] = c
      end
    end
  end
end

local reply = {}
local leave, enter, ids = {}, {}, {}
for i = 1, #orphans do
  drop(leave, orphans[i].key, orphans[i].id)
  note('orphaned', known[orphans[i].kind], orphans[i].id)
end
for i = 1, #picked do drop(leave, picked[i].key, picked[i].id) end
local nextDue
if #picked == 0 then
  for p = 1, 10 do
    local lanes = groups[p] or {}
    for i = 1, #lanes do
      local first = redis.call('ZRANGE', lanes[i].key, 0, 0, 'WITHSCORES')
      if first[2] then
        local due = tonumber(first[2])
        if due > now and (not nextDue or due < nextDue) then nextDue = due end
      end
    end
  end
end

-- Writes from here on.
removeAll(leave)
local woken = writeExpired()
for i = 1, #expired do
  local due = expired[i].due
  if due and (not nextDue or due < nextDue) then nextDue = due end
end
markJump(jumped, policies)
-- What holds for all tasks of a kind: the end of the lease, and the end of the attempt's time, as text.
local expires, deadlines = {}, {}
for i = 1, #picked do
  local c = picked[i]
  local key, k, n, fence = P .. 't:' .. c.id, c.kind, 1, at
  if not expires[k] then
    local lease, timeout = ownLease or tonumber(string.match(policies[k], '^%d+')), policyTimeout(policies[k])
    if timeout > 0 then lease, deadlines[k] = math.min(lease, timeout), int(now + timeout) end
    expires[k] = int(now + lease)
  end
  if c.r[3] then
    n = c.r[3] + 1
    -- What belongs to the attempt before.
    redis.call('HDEL', key, 'pg', 'pm', 'to', 'rn', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
    redis.call('UNLINK', P .. 'o:' .. c.id)
  end
  if c.r[17] and tonumber(c.r[17]) >= now then fence = int(c.r[17] + 1) end
  redis.call('HSET', key, 's', 'r', 'n', int(n), 'g', fence, 't', token, 'b', at, 'w', worker)
  if deadlines[k] then redis.call('HSET', key, 'to', deadlines[k]) end
  add(enter, P .. 'r:' .. known[k], expires[k], c.id)
  ids[i] = c.id
  reply[i] = grant(c.id, c.r, n, fence, expires[k], at, c.body, c.trace)
  note('claimed', known[k], c.id, fence, worker)
end
addAll(enter)
if #picked > 0 then
  redis.call('HSET', workerKey, 'c' .. lane, token .. '\n' .. table.concat(ids, '\n'))
  redis.call('ZADD', P .. 'workers', at, worker)
  if mayWait then for i = 1, #known do redis.call('ZREM', P .. 'i:' .. known[i], worker) end end
elseif wait then
  redis.call('ZREM', P .. 'workers', '')  -- a removal first, see tick in shared/clock.lua
  redis.call('ZADD', P .. 'workers', at, worker)
  for i = 1, #kinds do redis.call('ZADD', P .. 'i:' .. kinds[i], now + wait, worker) end
end
tick()
emit()
wakeAll(woken)
if #picked == 0 then return {'EMPTY', at, nextDue and int(nextDue) or ''} end
return {'OK', at, reply}
