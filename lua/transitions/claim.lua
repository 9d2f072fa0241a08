-- claim: takes up to n due tasks of several kinds: highest priority first, then the longest due, whatever the kind; or, when
-- asked, the longest due first, whatever kind and priority.
-- KEYS    1 header  2 events
-- ARGV    1 token  2 worker  3 n (1-500)  4 lease, us ("" = each kind's own)  5 lane (names one of a worker's claim loops)
--         6 wait, us: when nothing is due, stand in line for a wake-up for so long ("" = do not)
--         7 flags: w = the worker may still stand in line, d = the longest due first  8 the caller's estimate of now, us, or ""
--         9.. kinds, last: manual time, us, or ""
-- RETURNS OK now [[id kind attempt fence expires begun payload created due failures crashes content-type trace
--         data data-type (deadline-or-"" soft-deadline-or-"")] ...], the last two when there is either
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
-- @include history
-- @include policy
-- @include wake
-- @include expire
-- @include start
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

-- A task with what its claim tells. Each field that is asked for costs a walk through the record, so rare ones are asked for only
-- where something says that they are there.
local function read(id)
  local key = P .. 't:' .. id
  local r = redis.call('HMGET', key, 'k', 's', 'c', 'p', 'n', 'd', 'L')
  local c = {id = id, kind = r[1], state = r[2], created = r[3], body = r[4], n = r[5], due = r[6] or r[3], links = r[7],
    failures = '0', crashes = '0', contentType = '', trace = '', data = '', dataType = ''}
  if not c.body or #c.body == 64 then
    local more = redis.call('HMGET', key, 'p1', 'p2', 'p3', 'P')
    c.body = joinBody(c.body, more[1], more[2], more[3], more[4], P .. 'b:' .. id)
  end
  if c.n then
    local past = redis.call('HMGET', key, 'f', 'x', 'g')
    c.failures, c.crashes, c.fence = past[1] or '0', past[2] or '0', past[3]
  end
  if c.links and string.find(c.links, 'y', 1, true) then
    local more = redis.call('HMGET', key, 'ct', 'tr')
    c.contentType, c.trace = more[1] or '', joinTrace(key, more[2])
  end
  if c.links and string.find(c.links, 'v', 1, true) then
    local more = redis.call('HMGET', key, 'v', 'V')
    c.data, c.dataType = joinData(key, id, more[1], more[2])
  end
  return c
end
local function grant(c, n, fence, expires, begun, deadline, soft)
  local answer = {c.id, c.kind, n, fence, expires, begun, c.body, c.created, c.due, c.failures, c.crashes, c.contentType, c.trace,
    c.data, c.dataType}
  if deadline or soft ~= '' then answer[16], answer[17] = deadline or '', soft end
  return answer
end

local previous = redis.call('HGET', workerKey, 'c' .. lane)
if previous and string.sub(previous, 1, #token + 1) == token .. '\n' then
  local again = {}
  for id in string.gmatch(string.sub(previous, #token + 1), '\n([^\n]+)') do
    local r = redis.call('HMGET', P .. 't:' .. id, 's', 't', 'n', 'g', 'b', 'to')
    if (r[1] == 'r' or r[1] == 'h') and r[2] == token then
      local c = read(id)
      local expires = redis.call('ZSCORE', P .. r[1] .. ':' .. c.kind, id)
      again[#again + 1] = grant(c, tonumber(r[3]), r[4], expires and int(expires) or at, r[5], r[6],
        softDeadline(redis.call('HGET', meta, 'k:' .. c.kind), r[5]))
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
local picked, orphans, hindered = {}, {}, {}
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
      local lane = found[i]
      local c = read(lane.id)
      c.place, c.key = lane.kind, lane.key
      local isWaiting = c.state == 'q' and c.kind == known[c.place]
      if isWaiting and c.links then c.why, c.other = hindrance(c.id, c.kind, c.links, (c.n or '0') == '0') end
      if c.why then hindered[#hindered + 1] = c
      elseif isWaiting then picked[#picked + 1] = c
      else orphans[#orphans + 1] = c end
    end
  end
end

local reply = {}
local leave, enter, ids = {}, {}, {}
for i = 1, #orphans do
  drop(leave, orphans[i].key, orphans[i].id)
  note('orphaned', known[orphans[i].place], orphans[i].id)
end
for i = 1, #hindered do drop(leave, hindered[i].key, hindered[i].id) end
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
for i = 1, #hindered do
  local c = hindered[i]
  hinder(c.id, c.kind, c.why, c.other)
  moved(c.id, c.kind, c.links, 'q', 'c', at)
end
for i = 1, #expired do
  local due = expired[i].due
  if due and (not nextDue or due < nextDue) then nextDue = due end
end
markJump(jumped, policies)
-- What holds for all tasks of a kind: the end of the lease, and the end of the attempt's time, as text.
local expires, deadlines, softs = {}, {}, {}
for i = 1, #picked do
  local c = picked[i]
  local key, k, n, fence = P .. 't:' .. c.id, c.place, 1, at
  if not expires[k] then
    local lease, timeout = ownLease or tonumber(string.match(policies[k], '^%d+')), policyTimeout(policies[k])
    if timeout > 0 then lease, deadlines[k] = math.min(lease, timeout), int(now + timeout) end
    expires[k], softs[k] = int(now + lease), softDeadline(policies[k], now)
  end
  if c.n then
    n = c.n + 1
    -- What belongs to the attempt before.
    redis.call('HDEL', key, 'pg', 'pm', 'to', 'rn', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
    redis.call('UNLINK', P .. 'o:' .. c.id)
  end
  if c.fence and tonumber(c.fence) >= now then fence = int(c.fence + 1) end
  redis.call('HSET', key, 's', 'r', 'n', int(n), 'g', fence, 't', token, 'b', at, 'w', worker)
  if deadlines[k] then redis.call('HSET', key, 'to', deadlines[k]) end
  add(enter, P .. 'r:' .. c.kind, expires[k], c.id)
  if c.links then
    moved(c.id, c.kind, c.links, 'q', 'r', at)
    if string.find(c.links, 'u', 1, true) then started(c.id, c.kind) end
  end
  ids[i] = c.id
  reply[i] = grant(c, n, fence, expires[k], at, deadlines[k], softs[k])
  note('claimed', c.kind, c.id, fence, worker)
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
local unblocked = #picked < count and settleRest() or settle()
tick()
emit()
wakeAll(woken)
wakeAll(unblocked)
-- What became ready, or may stand behind those that were hindered, is there now.
if #hindered > 0 or next(unblocked) then nextDue = now end
if #picked == 0 then return {'EMPTY', at, nextDue and int(nextDue) or ''} end
return {'OK', at, reply}
