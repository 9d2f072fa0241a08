-- ingest: merges events of Celery into foreign tasks, which are tracked here and never run, and into foreign workers.
-- KEYS    1 header  2 guard
-- ARGV    for each event (1-500): subject ("task-started" is "started"; of a worker with "worker-" in front), task ("" = of a
--         worker), state (of a task, as Celery writes it), host or "", timestamp us, Lamport clock or 0, when a monitor received
--         it us or "", number N of fields, then N pairs: name, value (a worker's freq in us); last: manual time, us, or ""
-- RETURNS OK now applied evicted: events that changed something, tasks that made room
--         | FULL now state: 100 states that Celery does not know are in use
-- EMITS   ingested (detail: the state after) with all tasks that changed, without a task "evicted N"; of a worker that joined
--         or left (detail: worker-online, worker-offline)
-- COST    O(log n + fields) an event
-- WHY     events come in any order and more than once. One that is no newer than the newest of its subject changes nothing;
--         the newest is by clock, then timestamp. Else the highest state wins, see precedence; a lower one merges its fields,
--         but not timestamp, clock and host, and of received only what it alone knows. If either is RETRY the newest wins, and
--         what is older than the newest RETRY belongs to an earlier run: it moves no state.
--         The first write needs memory: a full server refuses the call whole, and it is sent again later.
--         A worker is alive until two of its intervals after its latest beat; each event of a task that a worker sent is one
-- @include clock
-- @include header
-- @include groups
-- @include events
-- @include evict
local refusal = begin({})
if refusal then return refusal end
local precedence = {SUCCESS = 9, FAILURE = 8, REVOKED = 6, STARTED = 5, RECEIVED = 4, REJECTED = 3, RETRY = 2, PENDING = 1}
local custom, retry = 7, precedence.RETRY
local lateReceived = {
  name = true, args = true, kwargs = true, parent_id = true, root_id = true, retries = true, eta = true, expires = true,
}
local tasks, workers, applied, received = {}, {}, 0, 0

-- A place in time, "timestamp clock", or false; after(a, b) is above 0 when a is newer than b.
local function moment(text)
  if not text then return false end
  local time, clock = string.match(text, '^(%d+) (%d+)$')
  return {time = tonumber(time), clock = tonumber(clock), text = text}
end

local function after(a, b)
  if a.clock > 0 and b.clock > 0 and a.clock ~= b.clock then return a.clock - b.clock end
  return a.time - b.time
end

-- The task, with the newest event of a sort.
local function taskOf(id, stamp)
  local task = tasks[id]
  if not task then
    local r = redis.call('HMGET', P .. 'y:' .. id, 's', '.name', 'h', '.parent_id', 'm', 'r', 'l', stamp)
    task = {
      id = id, set = {}, was = r, s = r[1], m = moment(r[5]), retried = moment(r[6]), last = tonumber(r[7] or '0'),
      stamps = {[stamp] = moment(r[8])},
    }
    tasks[id], tasks[#tasks + 1] = task, task
  elseif task.stamps[stamp] == nil then
    task.stamps[stamp] = moment(redis.call('HGET', P .. 'y:' .. id, stamp))
  end
  return task
end

-- Whether an event's state becomes its task's.
local function takes(task, state, m)
  if not task.s then return true end
  local rank, current, newer = precedence[state] or custom, precedence[task.s] or custom, after(m, task.m)
  if rank == retry or current == retry then return newer > 0 or newer == 0 and rank >= current end
  if task.retried and after(m, task.retried) < 0 then return false end
  return rank > current or rank == current and newer >= 0
end

-- fields: from place a on, n pairs.
local function mergeTask(id, subject, state, host, m, a, n)
  local stamp = '@' .. subject
  local task = taskOf(id, stamp)
  if task.stamps[stamp] and after(m, task.stamps[stamp]) <= 0 then return false end
  task.stamps[stamp], task.set[stamp] = m, m.text
  local isLate = not takes(task, state, m)
  if not isLate then task.s, task.m, task.set.s, task.set.m = state, m, state, m.text end
  if (precedence[state] or custom) == retry and (not task.retried or after(m, task.retried) > 0) then
    task.retried, task.set.r = m, m.text
  end
  if subject == 'sent' then
    if host ~= '' then task.set.client = host end
  elseif not isLate and host ~= '' then
    task.set.h = host
  end
  for i = a, a + 2 * n - 2, 2 do
    if not isLate or subject ~= 'received' or lateReceived[ARGV[i]] then task.set['.' .. ARGV[i]] = ARGV[i + 1] end
  end
  task.last = math.max(task.last, m.time)
  if subject == 'received' then received = received + 1 end
  return true
end

local function workerOf(host)
  if not workers[host] then
    local r = redis.call('HMGET', P .. 'yw:' .. host, 'b', 'off', 'v')
    local w = {host = host, beats = {}, off = tonumber(r[2] or '-1'), v = tonumber(r[3] or '-1'), set = {}}
    for beat in string.gmatch(r[1] or '', '%d+') do w.beats[#w.beats + 1] = tonumber(beat) end
    w.was = #w.beats
    workers[host] = w
    workers[#workers + 1] = w
  end
  return workers[host]
end

-- When a worker was heard of: as the monitor says, else as the worker does, but not later than now.
local function heardAt(m, heard) return math.min(heard ~= '' and tonumber(heard) or m.time, now) end

-- The last four beats, in order, each once.
local function beat(w, m, heard)
  local place, time = 1, heardAt(m, heard)
  if time <= w.off then return false end
  while w.beats[place] and w.beats[place] < time do place = place + 1 end
  if w.beats[place] == time or #w.beats == 4 and place == 1 then return false end
  table.insert(w.beats, place, time)
  if #w.beats > 4 then table.remove(w.beats, 1) end
  if w.beats[#w.beats] == time and heard ~= '' then w.set.drift = int(tonumber(heard) - m.time) end
  w.set.b = true
  return true
end

local function leaves(w, time)
  if time <= w.off then return false end
  w.off, w.set.off, w.set.b = time, int(time), true
  while w.beats[1] and w.beats[1] <= time do table.remove(w.beats, 1) end
  return true
end

local function mergeWorker(subject, host, m, heard, a, n)
  local w, changed = workerOf(host), false
  if subject == 'worker-offline' then
    changed = leaves(w, heardAt(m, heard))
  else
    changed = beat(w, m, heard)
    if changed and subject == 'worker-online' and w.beats[#w.beats] == heardAt(m, heard) then w.joined = true end
  end
  if m.time > w.v then
    w.v, w.set.v, changed = m.time, int(m.time), true
    for i = a, a + 2 * n - 2, 2 do w.set[ARGV[i]] = ARGV[i + 1] end
  end
  return changed
end

local a = 1
while a < #ARGV do
  local subject, id, host, heard, n = ARGV[a], ARGV[a + 1], ARGV[a + 3], ARGV[a + 6], tonumber(ARGV[a + 7])
  local m = moment(ARGV[a + 4] .. ' ' .. ARGV[a + 5])
  local changed
  if id == '' then
    changed = mergeWorker(subject, host, m, heard, a + 8, n)
  else
    changed = mergeTask(id, subject, ARGV[a + 2], host, m, a + 8, n)
    -- Who sends a task is a client, not a worker.
    if subject ~= 'sent' and host ~= '' then beat(workerOf(host), m, heard) end
  end
  if changed then applied = applied + 1 end
  a = a + 8 + 2 * n
end

local new, count, latest = {}, 0, nil
for i = 1, #tasks do
  local state = tasks[i].s
  if not precedence[state] and not new[state] and not redis.call('ZSCORE', P .. 'ys', state) then
    new[state], count, latest = true, count + 1, state
  end
end
if latest then
  local used = redis.call('ZRANGE', P .. 'ys', 0, -1)
  for i = 1, #used do
    if not precedence[used[i]] then count = count + 1 end
  end
  if count > 100 then return {'FULL', at, latest} end
end

local leave, enter, letters = {}, {}, {'s', 'n', 'h', 'p'}
for i = 1, #tasks do
  local task = tasks[i]
  if next(task.set) then
    local last = int(task.last)
    task.set.l = last
    add(enter, P .. 'yz', last, task.id)
    local is = {task.set.s or task.was[1], task.set['.name'] or task.was[2], task.set.h or task.was[3],
      task.set['.parent_id'] or task.was[4]}
    for j = 1, 4 do
      local key = P .. 'y' .. letters[j] .. ':'
      if task.was[j] and task.was[j] ~= is[j] then drop(leave, key .. task.was[j], task.id) end
      if is[j] then add(enter, key .. is[j], j == 4 and '0' or last, task.id) end
    end
    for j = 1, 2 do
      if is[j] and is[j] ~= task.was[j] then add(enter, P .. 'y' .. letters[j], '0', is[j]) end
    end
    note('ingested', '', task.id, task.s)
  end
end
for i = 1, #workers do
  local w = workers[i]
  if next(w.set) then
    add(enter, P .. 'yw', int(w.beats[#w.beats] or w.off), w.host)
    if #w.beats > 0 and (w.joined or w.was == 0) then note('ingested', '', '', 'worker-online', w.host) end
    if w.was > 0 and #w.beats == 0 then note('ingested', '', '', 'worker-offline', w.host) end
  end
end
if #enter == 0 then return {'OK', at, 0, 0} end

addAll(enter)
removeAll(leave)
strike(leave)
local function store(key, set)
  local flat = {}
  for name, value in pairs(set) do flat[#flat + 1], flat[#flat + 2] = name, value end
  redis.call('HSET', key, unpack(flat))
end
for i = 1, #tasks do
  if next(tasks[i].set) then store(P .. 'y:' .. tasks[i].id, tasks[i].set) end
end
for i = 1, #workers do
  local w = workers[i]
  if next(w.set) then
    local beats = {}
    for j = 1, #w.beats do beats[j] = int(w.beats[j]) end
    if w.set.b then w.set.b = table.concat(beats, ' ') end
    store(P .. 'yw:' .. w.host, w.set)
  end
end
if applied > 0 then redis.call('HINCRBY', P .. 'yc', 'events', applied) end
if received > 0 then redis.call('HINCRBY', P .. 'yc', 'received', received) end

local excess = math.min(redis.call('ZCARD', P .. 'yz') - 10000, 1000)
local silent = math.min(redis.call('ZCARD', P .. 'yw') - 5000, 1000)
if excess > 0 then
  evict(redis.call('ZRANGE', P .. 'yz', 0, excess - 1))
  note('ingested', '', '', 'evicted ' .. excess)
end
if silent > 0 then
  local hosts = redis.call('ZRANGE', P .. 'yw', 0, silent - 1)
  redis.call('ZREM', P .. 'yw', unpack(hosts))
  for i = 1, #hosts do redis.call('UNLINK', P .. 'yw:' .. hosts[i]) end
end
tick()
emit()
return {'OK', at, applied, math.max(0, excess)}
