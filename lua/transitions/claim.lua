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
-- Most claims are of one kind whose tasks have one priority and hang together with nothing: these need none of the functions that
-- others need, and make none.
local redis, token, worker, count, kinds, head = redis, ARGV[1], ARGV[2], ARGV[3] + 0, {ARGV[9]}, nil
if #ARGV <= 10 then
  head = redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'hold', 'gate', 'k:' .. ARGV[9], 'q:' .. ARGV[9])
else
  local fields, named = {'k:' .. ARGV[9], 'q:' .. ARGV[9]}, {[ARGV[9]] = true}
  for i = 10, #ARGV - 1 do
    if not named[ARGV[i]] then
      named[ARGV[i]] = true
      kinds[#kinds + 1] = ARGV[i]
      fields[#fields + 1], fields[#fields + 2] = 'k:' .. ARGV[i], 'q:' .. ARGV[i]
    end
  end
  head = redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'hold', 'gate', unpack(fields))
end
-- @include clock
-- @include moment
local held, jumped = head[4] and now < head[4] + 0, nil
if ARGV[8] ~= '' and now > ARGV[8] + 10000000 then
  -- @include jump
  jumped = sawJump(ARGV[8]) and markJump
end

-- Lanes, one for each kind and priority in use. A paused kind has none, but its expired leases are taken back as others are.
local isOver, isLimited, lanes, laneCount = false, false, {nil}, 0
for i = 1, #kinds do
  local policy = head[4 + 2 * i]
  if policy then
    local kind, flag = kinds[i], head[5 + 2 * i] or '5'
    if not head[5] and (#flag == 1 or not string.find(flag, '!', 1, true)) then
      for j = 1, #flag do
        local rank = string.sub(flag, j, j)
        if rank >= '0' and rank <= '9' then
          laneCount = laneCount + 1
          lanes[laneCount] = {rank = rank, kind = kind, key = P .. 'q:' .. rank .. ':' .. kind, policy = policy}
        end
      end
    end
    if not held and not isOver then
      isOver = redis.call('ZCOUNT', P .. 'r:' .. kind, '-inf', at) > 0 or string.find(flag, 'h', 1, true)
    end
    -- Most policies end so, which means no time-out.
    if string.sub(policy, -6) ~= ' 0 0 x' then isLimited = true end
  end
end

local workerKey, place = P .. 'w:' .. worker, 'c' .. ARGV[5]
-- When the claim before told that the worker lives, its token and its ids, a line each. Versions before kept no time.
local previous, seen, line, isAgain = redis.call('HGET', workerKey, place), nil, nil, nil
if previous then
  line = string.find(previous, '\n', 1, true)
  seen, isAgain = string.sub(previous, 1, line - 1), string.find(previous, token .. '\n', line + 1, true) == line + 1
end
local policy
if isLimited or isOver or isAgain then
  -- @include policy
  policy = {parse = parsePolicy, backoff = backoffDelay, timeout = policyTimeout, soft = softDeadline}
end

-- A record by its fields; the names that most have are there before, because a table that grows is dear.
local function named(r)
  local f = {k = false, s = false, c = false, p = false, p1 = false, n = false, g = false, t = false, b = false, w = false, f = false,
    x = false, u = false, d = false, L = false, rn = false}
  for i = 1, #r, 2 do f[r[i]] = r[i + 1] end
  return f
end
-- What a claim tells of a task: the end of the numbers, payload and rest.
local function tell(f, id)
  local body, rest = f.p, ''
  if body then body = body .. (f.p1 or '') .. (f.p2 or '') .. (f.p3 or '')
  else body = f.P and redis.call('GET', P .. 'b:' .. id) or '' end
  if f.L and string.find(f.L, '[yv]') then
    local data = f.v
    if data then data = data .. (f.v1 or '') .. (f.v2 or '') .. (f.v3 or '')
    else data = f.V and redis.call('GET', P .. 'd:' .. id) or '' end
    local trace = (f.tr or '') .. (f.tr1 or '') .. (f.tr2 or '') .. (f.tr3 or '')
    rest = {f.ct or '', trace, data, (f.v or f.V) and f.vt or '', '', ''}
  end
  return f.c .. ' ' .. (f.d or f.c) .. ' ' .. (f.f or '0') .. ' ' .. (f.x or '0'), body, rest
end
local function limit(rest, deadline, soft)
  if not deadline and soft == '' then return rest end
  if rest == '' then rest = {'', '', '', '', '', ''} end
  rest[5], rest[6] = deadline or '', soft
  return rest
end

if isAgain then
  local again = {}
  for id in string.gmatch(string.sub(previous, line + #token + 1), '\n([^\n]+)') do
    local f = named(redis.call('HGETALL', P .. 't:' .. id))
    if (f.s == 'r' or f.s == 'h') and f.t == token then
      local numbers, body, rest = tell(f, id)
      local expires = redis.call('ZSCORE', P .. f.s .. ':' .. f.k, id)
      local i = #again
      again[i + 1], again[i + 2], again[i + 4] = id, f.k, body
      again[i + 3] = f.n .. ' ' .. f.g .. ' ' .. (expires and int(expires) or at) .. ' ' .. f.b .. ' ' .. numbers
      again[i + 5] = limit(rest, f.to, policy.soft(redis.call('HGET', meta, 'k:' .. f.k), f.b))
    end
  end
  return {'OK', at, again}
end

-- Candidates in the order of claiming. Of each that is picked there are five in the answer: id, kind, numbers, payload and rest.
local picked, ids, fences, pickedCount = {nil, nil, nil, nil, nil}, {nil}, {nil}, 0
local isPlain, from, past, orphans, hindered, starts = laneCount <= 1 and not isOver, nil, nil, nil, nil, nil
-- What holds for all tasks of a kind: where they go, the end of the lease, the end of the attempt's time, and what begins the
-- numbers of a first attempt, as text.
local terms = {}
-- Highest priority first; all lanes are of one rank when the longest due is to come first.
if laneCount > 1 then
  from = {}
  if string.find(ARGV[7], 'd', 1, true) then for i = 1, laneCount do lanes[i].rank = '0' end end
  table.sort(lanes, function(a, b) return a.rank > b.rank end)
end
local first = 1
while first <= laneCount and pickedCount < count do
  local lane, last, wanted, range, places = lanes[first], first, count - pickedCount, nil, nil
  while last < laneCount and lanes[last + 1].rank == lane.rank do last = last + 1 end
  if last == first and count == 1 then  -- a task's due time, in its record, is its score: one look tells what is due, and when
    range = redis.call('ZRANGE', lane.key, '0', '0')
    if not range[1] then lane.due = 0 end
  elseif last == first then  -- scores are dear to print, and needed only to merge lanes
    range = redis.call('ZRANGEBYSCORE', lane.key, '-inf', at, 'LIMIT', '0', pickedCount == 0 and ARGV[3] or wanted)
  else
    local found = {}
    for i = first, last do
      local due = redis.call('ZRANGEBYSCORE', lanes[i].key, '-inf', at, 'WITHSCORES', 'LIMIT', '0', wanted)
      for j = 1, #due, 2 do found[#found + 1] = {id = due[j], due = tonumber(due[j + 1]), lane = lanes[i]} end
    end
    table.sort(found, function(a, b) return a.due < b.due or a.due == b.due and a.id < b.id end)
    range, places = {}, {}
    for i = 1, math.min(#found, wanted) do range[i], places[i] = found[i].id, found[i].lane end
  end
  for j = 1, #range do
    local id = range[j]
    if places then lane = places[j] end
    local r = redis.call('HGETALL', P .. 't:' .. id)
    local i, kind, fence, why, other, f = 5 * pickedCount, lane.kind, at, nil, nil, nil
    local term = terms[kind]
    if not term then
      local text = lane.policy
      local lease, deadline, soft = (ARGV[4] ~= '' and ARGV[4] or string.match(text, '^%d+')) + 0, nil, ''
      if policy then
        local timeout = policy.timeout(text)
        if timeout > 0 then lease, deadline = math.min(lease, timeout), int(now + timeout) end
        soft = policy.soft(text, now)
      end
      local expires = int(now + lease)
      term = {index = P .. 'r:' .. kind, expires = expires, first = '1 ' .. at .. ' ' .. expires .. ' ' .. at .. ' ', deadline = deadline,
        soft = soft}
      terms[kind] = term
    end
    -- A task that never began has its fields as they were written.
    local size = #r
    if r[7] == 'p' and (size == 8 or size == 10 and r[9] == 'p1') and r[5] == 'c' and r[4] == 'q' and r[3] == 's' and r[2] == kind
      and (count > 1 or r[6] + 0 <= now) then
      picked[i + 3], picked[i + 4], picked[i + 5] = term.first .. r[6] .. ' ' .. r[6] .. ' 0 0', size == 8 and r[8] or r[8] .. r[10], ''
    else
      f = named(r)
      if f.s == 'q' and f.k == kind and count == 1 and not places and (f.d or f.c) + 0 > now then
        lane.due, why = (f.d or f.c) + 0, 'later'
      elseif f.s == 'q' and f.k == kind then
        if f.L then
          isPlain = false
          if not starts then
            -- @include start
            starts = {hindrance = hindrance, started = started, hinder = hinder}
          end
          why, other = starts.hindrance(id, kind, f.L, (f.n or '0') == '0')
        end
        if not why then
          local numbers, body, rest = tell(f, id)
          if f.n then
            f.n = f.n == '1' and '2' or int(f.n + 1)
            if f.g and (#f.g ~= #at or f.g >= at) and tonumber(f.g) >= now then fence = int(f.g + 1) end
            numbers = f.n .. ' ' .. fence .. ' ' .. term.expires .. ' ' .. at .. ' ' .. numbers
          else
            numbers = term.first .. numbers
          end
          picked[i + 3], picked[i + 4], picked[i + 5] = numbers, body, rest
          past = past or {}
          past[pickedCount + 1] = f
        end
      else
        why, isPlain = 'orphaned', false
      end
    end
    if not why then
      pickedCount = pickedCount + 1
      ids[pickedCount], fences[pickedCount], picked[i + 1], picked[i + 2] = id, fence, id, kind
      if policy then picked[i + 5] = limit(picked[i + 5], term.deadline, term.soft) end
      if from then from[pickedCount] = lane.key end
    elseif why == 'later' then  -- and so are all behind it
    elseif why == 'orphaned' then
      orphans = orphans or {}
      orphans[#orphans + 1] = {id = id, lane = lane}
    else
      hindered = hindered or {}
      hindered[#hindered + 1] = {id = id, lane = lane, links = f.L, why = why, other = other}
    end
  end
  first = last + 1
end

local nextDue
if pickedCount == 0 then
  for i = 1, laneCount do
    local due = lanes[i].due or tonumber(redis.call('ZRANGE', lanes[i].key, '0', '0', 'WITHSCORES')[2] or 0)
    if due > now and (not nextDue or due < nextDue) then nextDue = due end
  end
end
-- Who waits for a parent that ended is told by who has room; see settleRest in shared/kin.lua.
if pickedCount < count and redis.call('EXISTS', P .. 'ends') == 1 then isPlain = false end

local known, policies, flags
if isOver or jumped then
  known, policies, flags = {}, {}, {}
  for i = 1, #kinds do
    local n = #known + 1
    if head[4 + 2 * i] then known[n], policies[n], flags[n] = kinds[i], head[4 + 2 * i], head[5 + 2 * i] or '5' end
  end
end

-- Writes from here on.
local wide
if not isPlain then
  -- @include groups
  -- @include events
  -- @include kin
  -- @include wake
  local leave, woken = {}, nil
  for i = 1, pickedCount do drop(leave, from and from[i] or lanes[1].key, ids[i]) end
  for i = 1, orphans and #orphans or 0 do drop(leave, orphans[i].lane.key, orphans[i].id) end
  for i = 1, hindered and #hindered or 0 do drop(leave, hindered[i].lane.key, hindered[i].id) end
  if isOver then
    local parsePolicy, backoffDelay = policy.parse, policy.backoff
    -- @include history
    -- @include expire
    readExpired(known, policies, flags, 10)
    removeAll(leave)
    for i = 1, orphans and #orphans or 0 do note('orphaned', orphans[i].lane.kind, orphans[i].id) end
    woken = writeExpired()
    for i = 1, #expired do
      local due = expired[i].due
      if due and (not nextDue or due < nextDue) then nextDue = due end
    end
  else
    removeAll(leave)
    for i = 1, orphans and #orphans or 0 do note('orphaned', orphans[i].lane.kind, orphans[i].id) end
  end
  for i = 1, hindered and #hindered or 0 do
    local c = hindered[i]
    starts.hinder(c.id, c.lane.kind, c.why, c.other)
    note(c.why, c.lane.kind, c.id, c.other)
    moved(c.id, c.lane.kind, c.links, 'q', 'c', at)
  end
  wide = {enter = {}, add = add, addAll = addAll, note = note, emit = emit, moved = moved,
    settle = pickedCount < count and settleRest or settle, woken = woken, wakeAll = wakeAll}
elseif pickedCount > 0 then
  redis.call('ZREM', lanes[1].key, unpack(ids, 1, pickedCount))
end
if jumped then jumped(true, policies) end
local enter = {nil, nil}
for i = 1, pickedCount do
  local id, kind, f = ids[i], picked[5 * i - 3], past and past[i]
  local key, term, n = P .. 't:' .. id, terms[kind], '1'
  if f and f.n then
    n = f.n
    -- What belongs to the attempt before.
    if f.pg or f.pm or f.to or f.r or f.R or f.rt then
      redis.call('HDEL', key, 'pg', 'pm', 'to', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
      if f.R then redis.call('UNLINK', P .. 'o:' .. id) end
    end
  end
  if term.deadline or f and f.rn then
    local record = {'s', 'r', 'n', n, 'g', fences[i], 't', token, 'b', at, 'w', worker, nil, nil, nil, nil}
    if f and f.rn then record[13], record[14] = 'rn', '0' end
    if term.deadline then record[#record + 1], record[#record + 2] = 'to', term.deadline end
    redis.call('HSET', key, unpack(record))
  else redis.call('HSET', key, 's', 'r', 'n', n, 'g', fences[i], 't', token, 'b', at, 'w', worker)
  end
  if wide then
    wide.add(wide.enter, term.index, term.expires, id)
    if f and f.L then
      wide.moved(id, kind, f.L, 'q', 'r', at)
      if string.find(f.L, 'u', 1, true) then starts.started(id, kind) end
    end
    wide.note('claimed', kind, id, fences[i], worker)
  else
    enter[2 * i - 1], enter[2 * i] = term.expires, id
  end
end
if wide then wide.addAll(wide.enter)
elseif pickedCount > 0 then redis.call('ZADD', terms[picked[2]].index, unpack(enter, 1, 2 * pickedCount)) end
if pickedCount > 0 then
  -- That a worker lives is told once a second.
  local told = seen and tonumber(seen)
  local isNews = not told or told > now or now - told >= 1000000
  redis.call('HSET', workerKey, place, (isNews and at or seen) .. '\n' .. token .. '\n' .. table.concat(ids, '\n', 1, pickedCount))
  if isNews then redis.call('ZADD', P .. 'workers', at, worker) end
  if ARGV[7] ~= '' and string.find(ARGV[7], 'w', 1, true) then
    for i = 1, #kinds do if head[4 + 2 * i] then redis.call('ZREM', P .. 'i:' .. kinds[i], worker) end end
  end
elseif ARGV[6] ~= '' then
  redis.call('ZREM', P .. 'workers', '')  -- a removal first, see tick in shared/header.lua
  redis.call('ZADD', P .. 'workers', at, worker)
  for i = 1, #kinds do redis.call('ZADD', P .. 'i:' .. kinds[i], now + ARGV[6], worker) end
end
local unblocked = wide and wide.settle()
-- @include keep
if wide then
  wide.emit()
  wide.wakeAll(wide.woken)
  wide.wakeAll(unblocked)
elseif pickedCount > 0 then
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', '10000', '*', 'e', 'claimed', 't', at, 'k', picked[2], 'i',
    table.concat(ids, '\n', 1, pickedCount), 'w', worker, 'd', table.concat(fences, '\n', 1, pickedCount))
end
-- What became ready, or may stand behind those that were hindered, is there now.
if hindered or unblocked and next(unblocked) then nextDue = now end
if pickedCount == 0 then return {'EMPTY', at, nextDue and int(nextDue) or ''} end
return {'OK', at, picked}
