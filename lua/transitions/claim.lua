-- claim: takes up to n due tasks of several kinds: highest priority first, then the longest due, whatever the kind.
-- KEYS    1 header  2 events
-- ARGV    1 token  2 worker  3 n (1-500)  4 lease, us ("" = each kind's own)  5 lane (names one of a worker's claim loops)
--         6 wait, us: when nothing is due, stand in line for a wake-up for so long ("" = do not)
--         7 "1" when the worker may still stand in line  8 the caller's estimate of now, us, or ""
--         9.. kinds, last: manual time, us, or ""
-- RETURNS OK now [[id kind attempt fence expires begun payload created due failures crashes content-type trace] ...]
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
local kinds, fields, policies, named = {}, {}, {}, {}
for i = 9, #ARGV - 1 do
  if not named[ARGV[i]] then
    named[ARGV[i]] = true
    kinds[#kinds + 1] = ARGV[i]
    fields[#fields + 1] = 'k:' .. ARGV[i]
    fields[#fields + 1] = 'q:' .. ARGV[i]
  end
end
local refusal, head = begin(fields)
if refusal then return refusal end
local jumped = sawJump(ARGV[8])

local workerKey = P .. 'w:' .. worker
local function payload(id, r) return joinBody(r[4], r[5], r[6], r[7], r[8], P .. 'b:' .. id) end
local function grant(id, r, n, fence, expires, begun, body, trace)
  return {id, r[1], n, fence, expires, begun, body, r[9], r[10] or r[9], r[11] or '0', r[12] or '0', r[13] or '', trace}
end

local previous = redis.call('HGET', workerKey, 'c' .. lane)
if previous and string.sub(previous, 1, #token + 1) == token .. '\n' then
  local again = {}
  for id in string.gmatch(string.sub(previous, #token + 1), '\n([^\n]+)') do
    local r = redis.call('HMGET', P .. 't:' .. id, 'k', 's', 't', 'p', 'p1', 'p2', 'p3', 'P', 'c', 'd', 'f', 'x', 'ct', 'tr', 'n', 'g', 'b')
    if r[2] == 'r' and r[3] == token then
      local expires = redis.call('ZSCORE', P .. 'r:' .. r[1], id)
      again[#again + 1] = grant(id, r, tonumber(r[15]), r[16], expires and int(expires) or int(now), r[17], payload(id, r),
        joinTrace(P .. 't:' .. id, r[14]))
    end
  end
  return {'OK', int(now), again}
end

local known, digits = {}, {}
for i = 1, #kinds do
  local policy = head[3 + 2 * i]
  if policy then
    known[#known + 1] = kinds[i]
    policies[#policies + 1] = policy
    for digit in string.gmatch(head[4 + 2 * i] or '5', '%d') do
      digits[digit] = digits[digit] or {}
      table.insert(digits[digit], #known)
    end
  end
end
readExpired(known, policies, 10)

-- Candidates in the order of claiming, each with its record.
local picked, orphans = {}, {}
for p = 9, 0, -1 do
  local lanes = digits[tostring(p)]
  if lanes and #picked < count then
    local found = {}
    for i = 1, #lanes do
      local key = P .. 'q:' .. p .. ':' .. known[lanes[i]]
      local range = redis.call('ZRANGEBYSCORE', key, '-inf', now, 'WITHSCORES', 'LIMIT', 0, count - #picked)
      for j = 1, #range, 2 do
        found[#found + 1] = {id = range[j], due = tonumber(range[j + 1]), lane = lanes[i], key = key}
      end
    end
    if #lanes > 1 then table.sort(found, function(a, b) return a.due < b.due or a.due == b.due and a.id < b.id end) end
    for i = 1, math.min(#found, count - #picked) do
      local c = found[i]
      c.r = redis.call('HMGET', P .. 't:' .. c.id, 'k', 's', 'n', 'p', 'p1', 'p2', 'p3', 'P', 'c', 'd', 'f', 'x', 'ct', 'tr', 'g')
      if c.r[2] == 'q' and c.r[1] == known[c.lane] then
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
  note('orphaned', known[orphans[i].lane], orphans[i].id)
end
for i = 1, #picked do drop(leave, picked[i].key, picked[i].id) end
local nextDue
if #picked == 0 then
  for p = 9, 0, -1 do
    local lanes = digits[tostring(p)] or {}
    for i = 1, #lanes do
      local first = redis.call('ZRANGE', P .. 'q:' .. p .. ':' .. known[lanes[i]], 0, 0, 'WITHSCORES')
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
for i = 1, #picked do
  local c = picked[i]
  local n, fence = tonumber(c.r[3] or '0') + 1, math.max(tonumber(c.r[15] or '0') + 1, now)
  local lease = ownLease or tonumber(string.match(policies[c.lane], '^%d+'))
  redis.call('HSET', P .. 't:' .. c.id, 's', 'r', 'n', n, 'g', fence, 't', token, 'b', now, 'w', worker)
  add(enter, P .. 'r:' .. known[c.lane], now + lease, c.id)
  ids[i] = c.id
  fence = int(fence)
  reply[i] = grant(c.id, c.r, n, fence, int(now + lease), int(now), c.body, c.trace)
  note('claimed', known[c.lane], c.id, fence, worker)
end
addAll(enter)
if #picked > 0 then
  redis.call('HSET', workerKey, 'c' .. lane, token .. '\n' .. table.concat(ids, '\n'))
  redis.call('ZADD', P .. 'workers', now, worker)
  if ARGV[7] == '1' then for i = 1, #known do redis.call('ZREM', P .. 'i:' .. known[i], worker) end end
elseif wait then
  redis.call('ZREM', P .. 'workers', '')  -- a removal first, see tick in shared/clock.lua
  redis.call('ZADD', P .. 'workers', now, worker)
  for i = 1, #kinds do redis.call('ZADD', P .. 'i:' .. kinds[i], now + wait, worker) end
end
tick()
emit()
wakeAll(woken)
if #picked == 0 then return {'EMPTY', int(now), nextDue and int(nextDue) or ''} end
return {'OK', int(now), reply}
