-- claim: takes up to n due tasks of several kinds: highest priority first, then the longest due, whatever the kind; or, when
-- asked, the longest due first, whatever kind and priority.
-- KEYS    1 header  2 guard
-- ARGV    1 token  2 worker  3 n (1-500)  4 lease, us ("" = each kind's own)  5 lane (names one of a worker's claim loops)
--         6 wait, us: when nothing is due, stand in line for a wake-up for so long ("" = do not)
--         7 flags: w = the worker may still stand in line, d = the longest due first  8 the caller's estimate of now, us, or ""
--         9.. kinds, last: manual time, us, or ""
-- RETURNS OK now [id kind "attempt fence expires begun created due failures crashes" payload rest ...]: five for each task, for
--         a list in a list is dear; rest is "" or [content-type trace data data-type deadline-or-"" soft-deadline-or-""]
--         | EMPTY now next-due-or-""
-- EMITS   claimed per kind (details: fence), reaped for leases taken back, orphaned for an index entry without its task;
--         expired, deduplicated for tasks that must not start, unblocked, parent-failed for those that waited for them
-- COST    O(log n) a task; up to 10 expired leases are taken back on the way, so a tracker without a reaper lives
-- WHY     the worker's last claim is kept by token (w:<worker>, field c<lane>), so a repeated request gets the same grant
-- @include clock
-- @include body
-- @include groups
-- @include events
-- @include kin
-- @include policy
-- @include wake
-- @include jump
local token, worker, count, ownLease, lane, wait = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local mayWait, byDue = string.find(ARGV[7], 'w', 1, true), string.find(ARGV[7], 'd', 1, true)
local kinds, fields = {ARGV[9]}, {'k:' .. ARGV[9], 'q:' .. ARGV[9], 'gate'}
if #ARGV > 10 then
  local named = {[ARGV[9]] = true}
  for i = 10, #ARGV - 1 do
    if not named[ARGV[i]] then
      named[ARGV[i]] = true
      kinds[#kinds + 1] = ARGV[i]
      fields[#fields], fields[#fields + 1], fields[#fields + 2] = 'k:' .. ARGV[i], 'q:' .. ARGV[i], 'gate'
    end
  end
end
local refusal, head = begin(fields)
if refusal then return refusal end
local jumped = sawJump(ARGV[8])

local workerKey = P .. 'w:' .. worker

-- A task's kind, state, attempts, L and fence, and what its claim tells: the end of the numbers, payload and rest. Each field that is
-- asked for costs a walk through the record, so rare ones are asked for only where something says that they are there.
local function read(id)
  local key = P .. 't:' .. id
  local r = redis.call('HMGET', key, 'k', 's', 'c', 'p', 'p1', 'n', 'd', 'L')
  local body, second, n, links, rest = r[4], r[5], r[6], r[8], ''
  local failures, crashes, fence = '0', '0', nil
  if not body or second and #second == 64 then
    local more = redis.call('HMGET', key, 'p2', 'p3', 'P')
    body = joinBody(body, second, more[1], more[2], more[3], P .. 'b:' .. id)
  elseif second then
    body = body .. second
  end
  if n then
    local past = redis.call('HMGET', key, 'f', 'x', 'g')
    failures, crashes, fence = past[1] or '0', past[2] or '0', past[3]
  end
  if links and string.find(links, '[yv]') then
    local more = redis.call('HMGET', key, 'ct', 'tr', 'v', 'V')
    local data, dataType = joinData(key, id, more[3], more[4])
    rest = {more[1] or '', joinTrace(key, more[2]), data, dataType, '', ''}
  end
  return r[1], r[2], n, links, fence, (r[3] or '') .. ' ' .. (r[7] or r[3] or '') .. ' ' .. failures .. ' ' .. crashes, body, rest
end
-- Completes what is told of the task whose five begin after place i.
local function grant(reply, i, n, fence, expires, begun, deadline, soft)
  reply[i + 3] = n .. ' ' .. fence .. ' ' .. expires .. ' ' .. begun .. ' ' .. reply[i + 3]
  if deadline or soft ~= '' then
    if reply[i + 5] == '' then reply[i + 5] = {'', '', '', '', '', ''} end
    reply[i + 5][5], reply[i + 5][6] = deadline or '', soft
  end
end

local previous = redis.call('HGET', workerKey, 'c' .. lane)
if previous and string.sub(previous, 1, #token + 1) == token .. '\n' then
  local again = {}
  for id in string.gmatch(string.sub(previous, #token + 1), '\n([^\n]+)') do
    local r = redis.call('HMGET', P .. 't:' .. id, 's', 't', 'n', 'g', 'b', 'to')
    if (r[1] == 'r' or r[1] == 'h') and r[2] == token then
      local kind, _, _, _, _, numbers, body, rest = read(id)
      local expires = redis.call('ZSCORE', P .. r[1] .. ':' .. kind, id)
      local i = #again
      again[i + 1], again[i + 2], again[i + 3], again[i + 4], again[i + 5] = id, kind, numbers, body, rest
      grant(again, i, r[3], r[4], expires and int(expires) or at, r[5], r[6],
        softDeadline(redis.call('HGET', meta, 'k:' .. kind), r[5]))
    end
  end
  return {'OK', at, again}
end

-- Lanes, one for each kind and priority in use. A paused kind has none, but its expired leases are taken back as others are.
local isPaused, isOver = head[4 + #fields], false
local known, policies, flags, lanes = {}, {}, {}, {}
for i = 1, #kinds do
  local policy = head[3 + 2 * i]
  if policy then
    local n, kind, flag = #known + 1, kinds[i], head[4 + 2 * i] or '5'
    known[n], policies[n], flags[n] = kind, policy, flag
    if not isPaused and not string.find(flag, '!', 1, true) then
      for j = 1, #flag do
        local rank = string.byte(flag, j) - 48
        if rank >= 0 and rank <= 9 then lanes[#lanes + 1] = {rank = rank, kind = kind, key = P .. 'q:' .. rank .. ':' .. kind} end
      end
    end
    if not held and not isOver then
      isOver = redis.call('ZCOUNT', P .. 'r:' .. kind, '-inf', at) > 0 or string.find(flag, 'h', 1, true)
    end
  end
end
local takenBack, takeBack
if isOver then
  -- @include history
  -- @include expire
  readExpired(known, policies, flags, 10)
  takenBack, takeBack = expired, writeExpired
end

-- Candidates in the order of claiming. Of each that is picked there are five: id, kind, the end of its numbers, payload and rest.
local picked, pickedCount, leave, orphans, hindered = {'', '', '', '', ''}, 0, {}, {}, {}
local rare, starts
local function consider(id, lane)
  local kind, state, n, links, fence, numbers, body, rest = read(id)
  local why, other
  local isWaiting = state == 'q' and kind == lane.kind
  if isWaiting and links then
    if not starts then
      -- @include start
      starts = {hindrance = hindrance, started = started, hinder = hinder}
    end
    why, other = starts.hindrance(id, kind, links, (n or '0') == '0')
  end
  drop(leave, lane.key, id)
  if why then
    hindered[#hindered + 1] = {id = id, kind = kind, links = links, why = why, other = other}
  elseif isWaiting then
    local i = 5 * pickedCount
    pickedCount = pickedCount + 1
    picked[i + 1], picked[i + 2], picked[i + 3], picked[i + 4], picked[i + 5] = id, kind, numbers, body, rest
    if n or links then
      rare = rare or {}
      rare[pickedCount] = {n = n, links = links, fence = fence}
    end
  else
    orphans[#orphans + 1] = {id = id, kind = lane.kind}
  end
end
-- Highest priority first; all lanes are of one rank when the longest due is to come first.
if byDue then for i = 1, #lanes do lanes[i].rank = 0 end end
if #lanes > 1 then table.sort(lanes, function(a, b) return a.rank > b.rank end) end
local first = 1
while first <= #lanes and pickedCount < count do
  local last, wanted = first, count - pickedCount
  while last < #lanes and lanes[last + 1].rank == lanes[first].rank do last = last + 1 end
  if last == first then  -- scores are dear to print, and needed only to merge lanes
    local range = redis.call('ZRANGEBYSCORE', lanes[first].key, '-inf', at, 'LIMIT', 0, wanted)
    for j = 1, #range do consider(range[j], lanes[first]) end
  else
    local found = {}
    for i = first, last do
      local range = redis.call('ZRANGEBYSCORE', lanes[i].key, '-inf', at, 'WITHSCORES', 'LIMIT', 0, wanted)
      for j = 1, #range, 2 do found[#found + 1] = {id = range[j], due = tonumber(range[j + 1]), lane = lanes[i]} end
    end
    table.sort(found, function(a, b) return a.due < b.due or a.due == b.due and a.id < b.id end)
    for i = 1, math.min(#found, wanted) do consider(found[i].id, found[i].lane) end
  end
  first = last + 1
end

local nextDue
if pickedCount == 0 then
  for i = 1, #lanes do
    local next = redis.call('ZRANGE', lanes[i].key, 0, 0, 'WITHSCORES')
    local due = tonumber(next[2] or 0)
    if due > now and (not nextDue or due < nextDue) then nextDue = due end
  end
end

-- Writes from here on.
removeAll(leave)
for i = 1, #orphans do note('orphaned', orphans[i].kind, orphans[i].id) end
local woken = takeBack and takeBack()
for i = 1, #hindered do
  local c = hindered[i]
  starts.hinder(c.id, c.kind, c.why, c.other)
  moved(c.id, c.kind, c.links, 'q', 'c', at)
end
for i = 1, takenBack and #takenBack or 0 do
  local due = takenBack[i].due
  if due and (not nextDue or due < nextDue) then nextDue = due end
end
markJump(jumped, policies)
-- What holds for all tasks of a kind: where they go, the end of the lease, and the end of the attempt's time, as text.
local terms = {}
local function termsOf(kind)
  local policy
  for i = 1, #known do if known[i] == kind then policy = policies[i] end end
  local lease, deadline, soft = ownLease or tonumber(string.match(policy, '^%d+')), nil, ''
  -- A pattern is dear: most policies end so, which means no time-out.
  if string.sub(policy, -6) ~= ' 0 0 x' then
    local timeout = policyTimeout(policy)
    if timeout > 0 then lease, deadline = math.min(lease, timeout), int(now + timeout) end
    soft = softDeadline(policy, now)
  end
  terms[kind] = {index = P .. 'r:' .. kind, expires = int(now + lease), deadline = deadline, soft = soft}
  return terms[kind]
end
local enter, ids = {}, {}
for i = 1, pickedCount do
  local j, past, n, fence = 5 * i - 5, rare and rare[i], '1', at
  local id, kind = picked[j + 1], picked[j + 2]
  local key, term = P .. 't:' .. id, terms[kind] or termsOf(kind)
  if past and past.n then
    n = int(past.n + 1)
    -- What belongs to the attempt before.
    redis.call('HDEL', key, 'pg', 'pm', 'to', 'rn', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
    redis.call('UNLINK', P .. 'o:' .. id)
    if past.fence and tonumber(past.fence) >= now then fence = int(past.fence + 1) end
  end
  redis.call('HSET', key, 's', 'r', 'n', n, 'g', fence, 't', token, 'b', at, 'w', worker)
  if term.deadline then redis.call('HSET', key, 'to', term.deadline) end
  add(enter, term.index, term.expires, id)
  if past and past.links then
    moved(id, kind, past.links, 'q', 'r', at)
    if string.find(past.links, 'u', 1, true) then starts.started(id, kind) end
  end
  ids[i] = id
  grant(picked, j, n, fence, term.expires, at, term.deadline, term.soft)
  note('claimed', kind, id, fence, worker)
end
addAll(enter)
if pickedCount > 0 then
  redis.call('HSET', workerKey, 'c' .. lane, token .. '\n' .. table.concat(ids, '\n'))
  redis.call('ZADD', P .. 'workers', at, worker)
  if mayWait then for i = 1, #known do redis.call('ZREM', P .. 'i:' .. known[i], worker) end end
elseif wait then
  redis.call('ZREM', P .. 'workers', '')  -- a removal first, see tick in shared/clock.lua
  redis.call('ZADD', P .. 'workers', at, worker)
  for i = 1, #kinds do redis.call('ZADD', P .. 'i:' .. kinds[i], now + wait, worker) end
end
local unblocked
if pickedCount < count then unblocked = settleRest() else unblocked = settle() end
tick()
emit()
wakeAll(woken)
wakeAll(unblocked)
-- What became ready, or may stand behind those that were hindered, is there now.
if #hindered > 0 or unblocked and next(unblocked) then nextDue = now end
if pickedCount == 0 then return {'EMPTY', at, nextDue and int(nextDue) or ''} end
return {'OK', at, picked}
