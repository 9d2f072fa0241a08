-- enqueue: creates tasks that are ready, now or later, or wait for others.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    1 request nonce ("" when the ids were generated for this request)  2 actor  3 message for the tasks' logs, or ""
--         4 number of kinds K  5.. K pairs: kind, policy to define it with if it is unknown ("" = refuse)
--         then for each task: "kind priority fields options due" in one text (kind 1-K; priority 0-9, 9 first; N further record
--         fields; M options; due "" = now, "+us" = after, "@us" = at), payload, the fields as field, value ..., the options as
--         name, value ...:
--           tag <tag>                                  at most 8
--           after t:<id> | after g:<tag>               a parent: a task, or all tasks of a tag; at most 100
--           rule <condition e|s|f|p><number>           what it needs of its parents, see shared/kin.lua; beside after
--           expires +us | @us                          not to be started from then on
--           unique <hash> <state letters> <window us> <refuse|record>   not when a task of the kind has the same hash
--           reuse 1                                    a task of this id that succeeded is used again, and says so
--         last: manual time, us, or ""
-- RETURNS OK now, and unless all were created: [indexes (1..) of tasks whose id exists already, made by another request]
--         [index limit ...]: tasks that were not created because so many of their kind wait already [index id ...]: tasks of the
--         same content as that one [indexes of tasks whose success is used again]
--         | UNKNOWN_KIND now kind | TOO_LARGE now index limit | FULL now limit | UNKNOWN_PARENT now index parent
--         | CYCLE now index parent: its parents, theirs and so on wait for a tag of its own
-- EMITS   per kind: enqueued, blocked (waits for parents), parent-failed, deduplicated (detail: of which), reused
-- COST    O(log n) a task, tag and parent, at most 500 tasks
-- WHY     a repeated request finds its own tasks: a generated id is its own proof, a caller's id keeps the nonce (field o).
--         A task that exists is told of before the limit is, because it takes no room. A parent stands before its children
--         in the call, so a cycle can only lead through a tag, and is looked for there; one that is refused as a duplicate of
--         content is waited for in its stead
-- Most calls ask for tasks of one known kind that begin at once, with priority 5 and nothing else: these need neither groups nor
-- functions.
local redis, nonce, actor, message, kindCount, head = redis, ARGV[1], ARGV[2], ARGV[3], ARGV[4] + 0, nil
local kinds = {ARGV[5]}
if kindCount == 1 then
  head = redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'payload', 'k:' .. ARGV[5], 'q:' .. ARGV[5])
else
  local fields = {'k:' .. ARGV[5], 'q:' .. ARGV[5]}
  for i = 2, kindCount do
    local kind = ARGV[3 + 2 * i]
    kinds[i] = kind
    fields[2 * i - 1], fields[2 * i] = 'k:' .. kind, 'q:' .. kind
  end
  head = redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'payload', unpack(fields))
end
-- @include clock
-- @include moment
local payloadLimit, taskCount = head[4] + 0, #KEYS - 2
local unknown = 0
for i = 1, kindCount do
  if not head[3 + 2 * i] then
    if ARGV[4 + 2 * i] == '' then return {'UNKNOWN_KIND', at, kinds[i]} end
    unknown = unknown + 1
  end
end
if unknown > 0 then
  local hold = redis.call('HGET', meta, 'hold')
  -- @include header
  if kindCountWith({nil, nil, nil, hold}, unknown) > 1000 then return {'FULL', at, '1000'} end
end

local existing = redis.call('EXISTS', unpack(KEYS, 3))
local kind, policy, used = ARGV[5], head[5], head[6]
local isSimple = existing == 0 and message == '' and kindCount == 1 and #ARGV == 7 + 2 * taskCount and policy
  and string.sub(policy, -4) == ' 0 x' and used and (used == '5' or string.find(used, '5', 1, true))
local record, seen, longest = {'k', kind, 's', 'q', 'c', at, 'p', nil, nil, nil, nil, nil, nil, nil, nil, nil}, taskCount > 1 and {}, 0
for i = 1, isSimple and taskCount or 0 do
  local key, length = KEYS[2 + i], #ARGV[6 + 2 * i]
  if ARGV[5 + 2 * i] ~= '1 5 0 0 ' or length > payloadLimit then isSimple = false end
  if length > longest then longest = length end
  if seen then
    if seen[key] then isSimple = false end
    seen[key] = true
  end
end
local put, tick, wakeUp
if not isSimple or longest > 128 then
  -- @include body
  put = putBody
end
if not isSimple or redis.call('EXISTS', P .. 'i:' .. kind) == 1 then
  -- @include wake
  wakeUp = wakeAll
end
if not isSimple or now - last >= 1000000 then
  function tick()
    -- @include keep
  end
end

if isSimple then
  local ready, ids = {nil, nil}, {nil}
  for i = 1, taskCount do
    local key, payload, n = KEYS[2 + i], ARGV[6 + 2 * i], 8
    local id, length = string.sub(key, #P + 3), #ARGV[6 + 2 * i]
    if put then
      n = put(record, 6, 'p', payload, P .. 'b:', id)
    elseif length > 64 then
      record[8], record[9], record[10], n = string.sub(payload, 1, 64), 'p1', string.sub(payload, 65), 10
    elseif length > 0 then
      record[8] = payload
    else
      n = 6
    end
    if nonce ~= '' then record[n + 1], record[n + 2], n = 'o', nonce, n + 2 end
    redis.call('HSET', key, unpack(record, 1, n))
    if nonce ~= '' then record[7] = 'p' end
    ready[2 * i - 1], ready[2 * i], ids[i] = at, id, id
  end
  redis.call('ZADD', P .. 'q:5:' .. kind, unpack(ready, 1, 2 * taskCount))
  if tick then tick() end
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', '10000', '*', 'e', 'enqueued', 't', at, 'k', kind, 'i',
    table.concat(ids, '\n', 1, taskCount))
  if wakeUp then wakeUp({[kind] = taskCount}) end
  return {'OK', at}
end

-- @include groups
-- @include events
local firstTask = 5 + 2 * kindCount

-- What the text before a payload says. Most tasks of a call say the same, so it is read once for all in a row that do.
local form, k, priority, extra, more, due, dueText
local function readForm(text)
  if text == form then return end
  form = text
  k, priority, extra, more, dueText = string.match(text, '^(%d+) (%d) (%d+) (%d+) (.*)$')
  k, extra, more = tonumber(k), tonumber(extra), tonumber(more)
  if dueText == '' then
    due, dueText = now, at
  else
    due = tonumber(string.sub(dueText, 2)) + (string.sub(dueText, 1, 1) == '+' and now or 0)
    dueText = int(due)
  end
end

-- Adds what is not the same for all tasks to a record that has kind, state and time; answers how many elements it has then, and the
-- letters of L.
local function describe(record, a)
  local n, links = 6, ''
  if dueText ~= at then record[n + 1], record[n + 2], n = 'd', dueText, n + 2 end
  if priority ~= '5' then record[n + 1], record[n + 2], n = 'q', priority, n + 2 end
  if nonce ~= '' then record[n + 1], record[n + 2], n = 'o', nonce, n + 2 end
  for j = a + 2, a + 1 + 2 * extra, 2 do
    if ARGV[j] == 'ct' or ARGV[j] == 'tr' then links = 'y' end
    record[n + 1], record[n + 2], n = ARGV[j], ARGV[j + 1], n + 2
  end
  return n, links
end

-- Whether no task of the call asks for more than to be run: then there is nothing to look up and nothing to compare.
local isPlain = existing == 0 and message == ''
local a = firstTask
for i = 1, taskCount do
  readForm(ARGV[a])
  if #ARGV[a + 1] > payloadLimit then return {'TOO_LARGE', at, i, int(payloadLimit)} end
  if more > 0 then isPlain = false end
  a = a + 2 + 2 * (extra + more)
end

-- Room for waiting tasks, by kind; nil when their number is not limited.
local priorities, ready, soon, room, limits = {}, {}, {}, nil, nil
for i = 1, kindCount do
  local policy = head[3 + 2 * i] or ARGV[4 + 2 * i]
  -- A pattern is dear: most policies end so, which means no limit.
  local limit = string.sub(policy, -4) == ' 0 x' and 0 or tonumber(string.match(policy, ' (%d+) %a ?%d*$') or 0)
  if limit > 0 then
    isPlain = false
    room, limits = room or {}, limits or {}
    limits[i], room[i] = limit, limit
    for digit in string.gmatch(head[4 + 2 * i] or '', '%d') do
      room[i] = room[i] - redis.call('ZCARD', P .. 'q:' .. digit .. ':' .. kinds[i])
    end
  end
end

if isPlain and taskCount > 1 then
  local seen = {}
  for i = 3, #KEYS do
    if seen[KEYS[i]] then isPlain = false end
    seen[KEYS[i]] = true
  end
end

-- Notes a priority that a kind has not had yet, for its field q:<kind>.
local function usePriority()
  local used = priorities[k] or head[4 + 2 * k] or ''
  if not string.find(used, priority, 1, true) then priorities[k] = used .. priority end
end

local function finish(settled, twins, full, repeated, reused)
  for i = 1, kindCount do
    if not head[3 + 2 * i] then
      redis.call('HSET', meta, 'k:' .. kinds[i], ARGV[4 + 2 * i], 'q:' .. kinds[i], priorities[i] or '5')
    elseif priorities[i] then
      redis.call('HSET', meta, 'q:' .. kinds[i], priorities[i])
    end
  end
  addAll(ready)
  local woken = settled and settled()
  tick()
  emit()
  wakeUp(soon)
  wakeUp(woken)
  if not twins or #twins + #full + #repeated + #reused == 0 then return {'OK', at} end
  return {'OK', at, twins, full, repeated, reused}
end

if isPlain then
  -- A table that grows is dear: it has places for a usual task, and serves them all.
  local record = {'k', '', 's', 'q', 'c', at, '', '', '', '', '', '', '', ''}
  local last, kind, queue, id
  a = firstTask
  for i = 3, #KEYS do
    if ARGV[a] ~= last then
      last = ARGV[a]
      readForm(last)
      usePriority()
      kind = kinds[k]
      record[2] = kind
      queue = P .. 'q:' .. priority .. ':' .. kind
    end
    local n, links = describe(record, a)
    id = string.sub(KEYS[i], #P + 3)
    n = put(record, n, 'p', ARGV[a + 1], P .. 'b:', id)
    if links ~= '' then record[n + 1], record[n + 2], n = 'L', links, n + 2 end
    redis.call('HSET', KEYS[i], unpack(record, 1, n))
    add(ready, queue, dueText, id)
    note('enqueued', kind, id)
    if due <= now + 1000000 then soon[kind] = (soon[kind] or 0) + 1 end
    a = a + 2 + 2 * extra
  end
  return finish()
end

-- @include kin
-- @include lines
local taken, twins, seen, again, refused, wishes, tagged, reused = {}, {}, {}, {}, {}, {}, {}, {}
local awaited, parentsOf, members = {}, {}, {}
needKin()

-- The tag of its own that a task's parents, theirs and so on wait for, if there is one: then none of them could ever begin. It is
-- looked for when somebody waits for a tag of the task, within 1,000 parents.
local function cycleOf(w)
  local own, isAwaited = {}, false
  for j = 1, #w.tags do
    local tag = 'g:' .. w.tags[j]
    own[tag] = true
    isAwaited = isAwaited or awaited[tag] or redis.call('EXISTS', P .. 'f:' .. tag) == 1
  end
  if not isAwaited then return nil end
  local line, met, i = {unpack(w.parents)}, {}, 1
  while i <= #line and i <= 1000 do
    local parent = line[i]
    local tag, more = string.match(parent, '^g:(.*)$'), nil
    if own[parent] then return parent end
    if tag then
      more = redis.call('ZRANGE', P .. 'm:j:' .. tag, 0, 99)
      for j = 1, #more do more[j] = 't:' .. more[j] end
      for _, id in ipairs(members[parent] or {}) do more[#more + 1] = id end
    else
      more = parentsOf[parent]
      if not more and redis.call('HGET', P .. parent, 's') == 'j' then
        more = redis.call('LRANGE', P .. 'g:' .. string.sub(parent, 3), 0, -1)
      end
    end
    for j = 1, #(more or {}) do
      if not met[more[j]] then
        met[more[j]] = true
        line[#line + 1] = more[j]
      end
    end
    i = i + 1
  end
end

-- The options of a task that has some, whose texts begin at place a; answers a refusal.
local function readWishes(i, a, isThere)
  local w = {tags = {}, parents = {}}
  local from = a + 2 + 2 * extra
  for j = from, from + 2 * more - 2, 2 do
    local name, value = ARGV[j], ARGV[j + 1]
    if name == 'tag' then w.tags[#w.tags + 1] = value
    elseif name == 'after' then w.parents[#w.parents + 1] = value
    else w[name] = value end
  end
  wishes[i] = w
  for j = 1, isThere and 0 or #w.parents do
    local tag = string.match(w.parents[j], '^g:(.*)$')
    local isKnown
    if tag then isKnown = tagged[tag] or holds(tag, 'qrhpjsxcn')
    else isKnown = seen[P .. w.parents[j]] and P .. w.parents[j] ~= KEYS[2 + i] or redis.call('EXISTS', P .. w.parents[j]) == 1 end
    if not isKnown then return {'UNKNOWN_PARENT', at, i, w.parents[j]} end
  end
  local id = string.sub(KEYS[2 + i], #P + 1)
  if #w.parents > 0 and not isThere then
    local tag = cycleOf(w)
    if tag then return {'CYCLE', at, i, tag} end
    parentsOf[id] = w.parents
    for j = 1, #w.parents do awaited[w.parents[j]] = true end
  end
  for j = 1, #w.tags do
    local tag = 'g:' .. w.tags[j]
    tagged[w.tags[j]] = true
    members[tag] = members[tag] or {}
    table.insert(members[tag], id)
  end
end

a = firstTask
for i = 1, taskCount do
  local key = KEYS[2 + i]
  readForm(ARGV[a])
  local isThere = seen[key] or existing > 0 and redis.call('EXISTS', key) == 1
  local unknownParent = more > 0 and readWishes(i, a, isThere)
  if unknownParent then return unknownParent end
  if seen[key] then
    taken[i], again[i] = true, key
  elseif isThere then
    taken[i] = true
    local r = redis.call('HMGET', key, 'o', 's', 'ro', 'cc', 'us')
    -- This request's own task, which was recorded as a duplicate of content.
    local twin = (nonce == '' or r[1] == nonce) and not r[5] and r[4] and string.match(r[4], '^deduplicated (.*)$')
    if twin and wishes[i] then wishes[i].twin = twin end
    if nonce ~= '' and wishes[i] and wishes[i].reuse and r[2] == 's' and r[1] ~= nonce then
      reused[#reused + 1] = i
      wishes[i].isNew = r[3] ~= nonce
    elseif nonce ~= '' and r[1] ~= nonce then twins[#twins + 1] = i end
  end
  seen[key] = true
  a = a + 2 + 2 * (extra + more)
end

local full = {}

-- The task of the same content that keeps this one out, if there is any; the one whose content it was, if it does not.
local function sameContent(id, kind, wish)
  local hash, states, window = string.match(wish, '^(%S+) (%a+) (%d+)')
  local original = redis.call('HGET', P .. 'u:' .. kind, hash)
  if not original or original == id then return nil, nil end
  local o = redis.call('HMGET', P .. 't:' .. original, 's', 'c')
  if o[1] and string.find(states, o[1], 1, true) and (window == '0' or now - tonumber(o[2]) < tonumber(window)) then
    return original, original
  end
  return nil, o[1] and original
end

local repeated, instead = {}, {}
a = firstTask
for i = 1, taskCount do
  local key, w = KEYS[2 + i], wishes[i]
  readForm(ARGV[a])
  local kind, id = kinds[k], string.sub(key, #P + 3)
  if again[i] and refused[key] then
    full[#full + 1] = i
    full[#full + 1] = refused[key]
  elseif again[i] and instead[key] then
    repeated[#repeated + 1] = i
    repeated[#repeated + 1] = instead[key]
  elseif again[i] then
    twins[#twins + 1] = i
  end
  local original, before
  if w and w.twin then
    repeated[#repeated + 1] = i
    repeated[#repeated + 1] = w.twin
  end
  if w and not taken[i] then
    if w.unique then original, before = sameContent(id, kind, w.unique) end
    if original then
      repeated[#repeated + 1] = i
      repeated[#repeated + 1] = original
      instead[key] = original
      taken[i] = string.match(w.unique, '%a+$') ~= 'record'
    end
    local parents, named = {}, {}
    for j = 1, #w.parents do
      local parent = P .. w.parents[j]
      local standing = instead[parent] and 't:' .. instead[parent] or w.parents[j]
      if not named[standing] then
        named[standing] = true
        parents[#parents + 1] = standing
      end
      if refused[parent] and not taken[i] then
        taken[i], refused[key] = true, refused[parent]
        full[#full + 1] = i
        full[#full + 1] = refused[parent]
      end
    end
    w.parents = parents
  end
  if not taken[i] and room and room[k] and not original then
    if room[k] <= 0 then
      taken[i], refused[key] = true, limits[k]
      full[#full + 1] = i
      full[#full + 1] = limits[k]
    end
    room[k] = room[k] - 1
  end
  if not taken[i] then
    local record, state = {'k', kind, 's', 'q', 'c', at}, 'q'
    local n, links = describe(record, a)
    put(record, n, 'p', ARGV[a + 1], P .. 'b:', id)
    if w then
      local function set(name, value) record[#record + 1], record[#record + 2] = name, value end
      for j = 1, #w.tags do set(j == 1 and 'm' or 'm' .. j - 1, w.tags[j]) end
      if #w.tags > 0 then links = links .. 'm' end
      if w.expires then
        links = links .. 'e'
        local relative = string.sub(w.expires, 1, 1) == '+'
        set('ex', int(tonumber(string.sub(w.expires, 2)) + (relative and now or 0)))
      end
      if w.unique then
        links = links .. 'u'
        local hash, how = string.match(w.unique, '^(%S+) (.*)$')
        set('uh', hash)
        if not original then
          set('us', how)
          if before then set('ud', before) end
          redis.call('HSET', P .. 'u:' .. kind, hash, id)
        end
      end
      if original then
        state = 'c'
        set('cc', 'deduplicated ' .. original)
      elseif #w.parents > 0 then
        links = links .. 'p'
        local condition, needed, left = string.sub(w.rule, 1, 1), math.min(tonumber(string.sub(w.rule, 2)), #w.parents), nil
        set('pc', condition .. needed)
        state, needed, left, w.decisive = judge(id, w.parents, condition, needed)
        if state == 'j' then
          set('pn', needed)
          set('pw', left)
        elseif state == 'c' then
          set('cc', 'parent ' .. w.decisive)
        end
        redis.call('RPUSH', P .. 'g:' .. id, unpack(w.parents))
      end
      record[4] = state
    end
    if links ~= '' then record[#record + 1], record[#record + 2] = 'L', links end
    if message ~= '' then record[#record + 1], record[#record + 2] = 'a', '1' end
    redis.call('HSET', key, unpack(record))
    local score = (state == 'q' or state == 'j') and dueText or at
    add(ready, state == 'q' and P .. 'q:' .. priority .. ':' .. kind or P .. state .. ':' .. kind, score, id)
    if links ~= '' then moved(id, kind, links, '', state, score) end
    if original then note('deduplicated', kind, id, original)
    elseif state == 'c' then note('parent-failed', kind, id, w.decisive)
    else note(state == 'j' and 'blocked' or 'enqueued', kind, id) end
    if message ~= '' then logLine(id, 'enqueued', actor, message) end
    if state == 'q' and due <= now + 1000000 then soon[kind] = (soon[kind] or 0) + 1 end
    usePriority()
  end
  a = a + 2 + 2 * (extra + more)
end
for i = 1, #reused do
  local key = KEYS[2 + reused[i]]
  if wishes[reused[i]].isNew then
    redis.call('HINCRBY', key, 'ru', 1)
    redis.call('HSET', key, 'ro', nonce)
    note('reused', redis.call('HGET', key, 'k'), string.sub(key, #P + 3))
  end
end
return finish(settle, twins, full, repeated, reused)
