-- enqueue: creates tasks that are ready, now or later, or wait for others.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    1 request nonce ("" when the ids were generated for this request)  2 actor  3 message for the tasks' logs, or ""
--         4 number of kinds K  5.. K pairs: kind, policy to define it with if it is unknown ("" = refuse)
--         then for each task: kind index (1-K), due ("" = now, "+us" = after, "@us" = at), priority (0-9, 9 first), payload,
--         number N of further record fields, or N:M with M options; the fields as field, value ...; the options as name, value:
--           tag <tag>                                  at most 8
--           after t:<id> | after g:<tag>               a parent: a task, or all tasks of a tag; at most 100
--           rule <condition e|s|f|p><number>           what it needs of its parents, see shared/kin.lua; beside after
--           expires +us | @us                          not to be started from then on
--           unique <hash> <state letters> <window us> <refuse|record>   not when a task of the kind has the same hash
--           reuse 1                                    a task of this id that succeeded is used again, and says so
--         last: manual time, us, or ""
-- RETURNS OK now [indexes (1..) of tasks whose id exists already, made by another request] [index limit ...]: tasks that were
--         not created because so many of their kind wait already [index id ...]: tasks of the same content as that one
--         [indexes of tasks whose success is used again]
--         | UNKNOWN_KIND now kind | TOO_LARGE now index limit | FULL now limit | UNKNOWN_PARENT now index parent
--         | CYCLE now index parent: its parents, theirs and so on wait for a tag of its own
-- EMITS   per kind: enqueued, blocked (waits for parents), parent-failed, deduplicated (detail: of which), reused
-- COST    O(log n) a task, tag and parent, at most 500 tasks
-- WHY     a repeated request finds its own tasks: a generated id is its own proof, a caller's id keeps the nonce (field o).
--         A task that exists is told of before the limit is, because it takes no room. A parent stands before its children
--         in the call, so a cycle can only lead through a tag, and is looked for there; one that is refused as a duplicate of
--         content is waited for in its stead
-- @include clock
-- @include body
-- @include groups
-- @include events
-- @include kin
-- @include lines
-- @include wake
local nonce, actor, message, kindCount = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local kinds, fields = {}, {'payload'}
for i = 1, kindCount do
  local kind = ARGV[3 + 2 * i]
  kinds[i] = kind
  fields[2 * i], fields[2 * i + 1] = 'k:' .. kind, 'q:' .. kind
end
local refusal, head = begin(fields)
if refusal then return refusal end
local payloadLimit = tonumber(head[5])
local unknown = 0
for i = 1, kindCount do
  if not head[4 + 2 * i] then
    if ARGV[4 + 2 * i] == '' then return {'UNKNOWN_KIND', at, kinds[i]} end
    unknown = unknown + 1
  end
end
if unknown > 0 and kindCountWith(head, unknown) > 1000 then return {'FULL', at, '1000'} end

local taskCount = #KEYS - 2
local existing = redis.call('EXISTS', unpack(KEYS, 3))
local taken, twins, seen, again, refused, wishes, tagged, reused = {}, {}, {}, {}, {}, {}, {}, {}
local awaited, parentsOf, members = {}, {}, {}

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

-- The options of a task whose count is "N:M", from place a on; answers N, M and a refusal.
local function readWishes(i, a, isThere)
  local extra, more = string.match(ARGV[a + 4], '^(%d+):(%d+)$')
  local w = {tags = {}, parents = {}}
  local from = a + 5 + 2 * extra
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
    if not isKnown then return extra, more, {'UNKNOWN_PARENT', at, i, w.parents[j]} end
  end
  local id = string.sub(KEYS[2 + i], #P + 1)
  if #w.parents > 0 and not isThere then
    local tag = cycleOf(w)
    if tag then return extra, more, {'CYCLE', at, i, tag} end
    parentsOf[id] = w.parents
    for j = 1, #w.parents do awaited[w.parents[j]] = true end
  end
  for j = 1, #w.tags do
    local tag = 'g:' .. w.tags[j]
    tagged[w.tags[j]] = true
    members[tag] = members[tag] or {}
    table.insert(members[tag], id)
  end
  return tonumber(extra), tonumber(more)
end

local a = 5 + 2 * kindCount
for i = 1, taskCount do
  local key = KEYS[2 + i]
  if #ARGV[a + 3] > payloadLimit then return {'TOO_LARGE', at, i, int(payloadLimit)} end
  local isThere = seen[key] or existing > 0 and redis.call('EXISTS', key) == 1
  local extra, more = tonumber(ARGV[a + 4]), 0
  if not extra then
    local unknownParent
    extra, more, unknownParent = readWishes(i, a, isThere)
    if unknownParent then return unknownParent end
  end
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
  a = a + 5 + 2 * (extra + more)
end

-- Room for waiting tasks, by kind; nil when their number is not limited.
local room, limits, full = {}, {}, {}
for k = 1, kindCount do
  local limit = tonumber(string.match(head[4 + 2 * k] or ARGV[4 + 2 * k], ' (%d+) %a ?%d*$') or 0)
  if limit > 0 then
    limits[k], room[k] = limit, limit
    for digit in string.gmatch(head[5 + 2 * k] or '', '%d') do
      room[k] = room[k] - redis.call('ZCARD', P .. 'q:' .. digit .. ':' .. kinds[k])
    end
  end
end

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

local ready, soon, priorities, repeated, instead = {}, {}, {}, {}, {}
a = 5 + 2 * kindCount
for i = 1, taskCount do
  local key, w = KEYS[2 + i], wishes[i]
  local extra, more = tonumber(ARGV[a + 4]), 0
  if not extra then
    extra, more = string.match(ARGV[a + 4], '^(%d+):(%d+)$')
    extra, more = tonumber(extra), tonumber(more)
  end
  local k = tonumber(ARGV[a])
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
  if not taken[i] and room[k] and not original then
    if room[k] <= 0 then
      taken[i], refused[key] = true, limits[k]
      full[#full + 1] = i
      full[#full + 1] = limits[k]
    end
    room[k] = room[k] - 1
  end
  if not taken[i] then
    local due, priority, state, links = ARGV[a + 1], ARGV[a + 2], 'q', ''
    local record = {'k', kind, 's', 'q', 'c', at}
    local dueText = at
    if due == '' then
      due = now
    else
      due = tonumber(string.sub(due, 2)) + (string.sub(due, 1, 1) == '+' and now or 0)
      dueText = int(due)
      record[7], record[8] = 'd', dueText
    end
    if priority ~= '5' then record[#record + 1], record[#record + 2] = 'q', priority end
    if nonce ~= '' then record[#record + 1], record[#record + 2] = 'o', nonce end
    for j = a + 5, a + 4 + 2 * extra do record[#record + 1] = ARGV[j] end
    for j = a + 5, a + 3 + 2 * extra, 2 do
      if ARGV[j] == 'ct' or ARGV[j] == 'tr' then links = 'y' end
    end
    putBody(record, P .. 'b:' .. id, 'p', ARGV[a + 3])
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
    redis.call('HSET', key, unpack(record))
    local score = (state == 'q' or state == 'j') and dueText or at
    add(ready, state == 'q' and P .. 'q:' .. priority .. ':' .. kind or P .. state .. ':' .. kind, score, id)
    if links ~= '' then moved(id, kind, links, '', state, score) end
    if original then note('deduplicated', kind, id, original)
    elseif state == 'c' then note('parent-failed', kind, id, w.decisive)
    else note(state == 'j' and 'blocked' or 'enqueued', kind, id) end
    if message ~= '' then logLine(id, 'enqueued', actor, message) end
    if state == 'q' and due <= now + 1000000 then soon[kind] = (soon[kind] or 0) + 1 end
    local used = priorities[k] or head[5 + 2 * k] or ''
    if not string.find(used, priority, 1, true) then priorities[k] = used .. priority end
  end
  a = a + 5 + 2 * (extra + more)
end
for i = 1, #reused do
  local key = KEYS[2 + reused[i]]
  if wishes[reused[i]].isNew then
    redis.call('HINCRBY', key, 'ru', 1)
    redis.call('HSET', key, 'ro', nonce)
    note('reused', redis.call('HGET', key, 'k'), string.sub(key, #P + 3))
  end
end
for k = 1, kindCount do
  if not head[4 + 2 * k] then redis.call('HSET', meta, 'k:' .. kinds[k], ARGV[4 + 2 * k], 'q:' .. kinds[k], priorities[k] or '5')
  elseif priorities[k] then redis.call('HSET', meta, 'q:' .. kinds[k], priorities[k]) end
end
addAll(ready)
local woken = settle()
tick()
emit()
wakeAll(soon)
wakeAll(woken)
return {'OK', at, twins, full, repeated, reused}
