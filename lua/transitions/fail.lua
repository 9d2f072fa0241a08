-- fail: ends held tasks' attempts with an error; each runs again later, or is over.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    for each task: token, fence, disposition (r = retry by the kind's policy, x = exhausted at once, c = cancelled),
--         delay us ("" = by policy), error (opaque), backtrace (opaque; both at most 16384 bytes together); last: manual
--         time, us, or ""
-- RETURNS OK now ["state due" | STALE | GONE ...] in the order of the tasks | TOO_LARGE now index limit
-- EMITS   retrying (detail: due), exhausted, ignored or cancelled, per kind and worker; unblocked, parent-failed for those that
--         waited for them
-- COST    O(log n) a task, at most 500 tasks
-- WHY     attempts were counted when they began, so the limit holds however they end; a repeat is told by the history
-- Most calls put tasks of one kind, priority and worker back that hang together with nothing: these need no groups.
local redis, records, head, fields, kind, token, worker = redis, {nil}, nil, nil, nil, nil, nil
for i = 1, #KEYS - 2 do
  local r
  -- A token is one claim's, so one worker's: who it was is asked once for all in a row that have the same.
  if worker and ARGV[6 * i - 5] == token then
    r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'n', 'f', 'q', 'l', 'b', 'X', 'L')
    r[12] = worker
  else
    r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'n', 'f', 'q', 'l', 'b', 'X', 'L', 'w')
    if r[2] == ARGV[6 * i - 5] then token, worker = r[2], r[12] end
  end
  records[i] = r
  if r[4] and r[4] ~= kind then
    if not kind then
      kind = r[4]
    else
      fields = fields or {'k:' .. kind, [kind] = 1}
      if not fields[r[4]] then
        fields[#fields + 1] = 'k:' .. r[4]
        fields[r[4]] = #fields
      end
    end
  end
end
if fields then head = redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', unpack(fields))
else head = redis.call('HMGET', KEYS[1], 'schema', 'clock', 'now', 'k:' .. (kind or '')) end
-- @include clock
-- @include moment
-- @include history

local answers, ids, places, targets, dues, outcomes, enter = {nil}, {nil}, {nil}, {nil}, {nil}, {nil}, {nil, nil}
local policies, seen, tools, state = {nil}, #KEYS > 3 and {}, nil, nil
local count, isPlain, soon = 0, not fields, 0
for i = 1, #KEYS - 2 do
  local r, a = records[i], 6 * i
  local was, id = r[1], string.sub(KEYS[2 + i], #P + 3)
  if #ARGV[a] + #ARGV[a - 1] > 16384 then return {'TOO_LARGE', at, i, '16384'} end
  if not was then
    answers[i] = 'GONE'
  elseif r[2] ~= ARGV[a - 5] or r[3] ~= ARGV[a - 4] or seen and seen[id] then
    answers[i] = 'STALE'
  elseif was ~= 'r' and was ~= 'h' then
    if seen then seen[id] = true end
    local outcome, answer = remembered(id, r[3])
    if outcome == 'failed' or outcome == 'cancelled' then answers[i] = answer else answers[i] = 'STALE' end
  else
    if seen then seen[id] = true end
    local place = fields and fields[r[4]] or 1
    local policy = policies[place]
    if not policy then
      -- All that is needed mostly; the whole pattern is dear.
      local attempts, backoff, base, jitter = string.match(head[3 + place], '^%d+ (%d+) (%a) (%d+) %d+ %d+ (%d+) ')
      policy = {attempts = attempts + 0, delay = backoff == 'f' and jitter == '0' and base, whole = false}
      policies[place] = policy
    end
    local failures = '1'
    if r[6] and r[6] ~= '0' then failures = int(r[6] + 1) end
    local limit, asked, to, outcome, due = policy.attempts, ARGV[a - 3], 'q', 'failed', false
    if r[8] and r[8] ~= '0' then limit = r[8] + 0 end
    if asked == 'c' or r[10] then
      to, outcome, failures = 'c', 'cancelled', r[6] or '0'
    else
      local isOver, delay = asked == 'x' or r[5] + 0 >= limit, ARGV[a - 2]
      if not isOver and delay == '' then delay = policy.delay or nil end
      if (isOver or not delay) and not policy.whole then
        if not tools then
          -- @include policy
          tools = {parse = parsePolicy, backoff = backoffDelay}
        end
        policy.whole = tools.parse(head[3 + place])
      end
      if isOver then
        to = policy.whole.over
      else
        delay = (delay or tools.backoff(policy.whole, id, failures + 0)) + 0
        due = delay == 0 and at or int(now + delay)
        if delay <= 1000000 then soon = soon + 1 end
      end
    end
    if count == 0 then state, worker = was, r[12] end
    if not due or r[7] or r[11] or was ~= state or r[12] ~= worker then isPlain = false end
    count = count + 1
    r[6], ids[count], places[count], targets[count], dues[count], outcomes[count] = failures, id, i, to, due, outcome
    answers[i] = to .. ' ' .. (due or to == 'n' and '-n' or '-')
  end
end

local groups
if count == 0 then
  isPlain = true
elseif isPlain then
  redis.call('ZREM', P .. state .. ':' .. kind, unpack(ids, 1, count))
else
  -- @include groups
  -- @include events
  -- @include kin
  local leave = {}
  for j = 1, count do
    local r = records[places[j]]
    drop(leave, P .. r[1] .. ':' .. r[4], ids[j])
  end
  removeAll(leave)
  groups = {enter = {}, soon = {}, add = add, addAll = addAll, note = note, emit = emit, moved = moved, settle = settle}
end
for j = 1, count do
  local i, id, to, due = places[j], ids[j], targets[j], dues[j]
  local r = records[i]
  if due then redis.call('HSET', KEYS[2 + i], 's', 'q', 'f', r[6], 'u', at, 'd', due)
  else redis.call('HSET', KEYS[2 + i], 's', to, 'f', r[6], 'u', at) end
  if isPlain then
    enter[2 * j - 1], enter[2 * j] = due, id
  else
    local own = r[4]
    if due then
      groups.add(groups.enter, P .. 'q:' .. (r[7] or '5') .. ':' .. own, due, id)
      groups.note('retrying', own, id, due, r[12])
      if due + 0 <= now + 1000000 then groups.soon[own] = (groups.soon[own] or 0) + 1 end
    else
      groups.add(groups.enter, P .. to .. ':' .. own, at, id)
      groups.note(to == 'x' and 'exhausted' or to == 'n' and 'ignored' or 'cancelled', own, id, nil, r[12])
    end
    if r[11] then groups.moved(id, own, r[11], r[1], to, due or at) end
  end
  remember(id, r[5], r[3], r[9], outcomes[j], r[12], due or to == 'n' and '-n', ARGV[6 * i - 1], ARGV[6 * i])
end
local unblocked
if groups then
  groups.addAll(groups.enter)
  unblocked = groups.settle()
elseif count > 0 then
  redis.call('ZADD', P .. 'q:5:' .. kind, unpack(enter, 1, 2 * count))
end
-- @include keep
if groups then
  groups.emit()
elseif count > 0 then
  redis.call('XADD', P .. 'events', 'MAXLEN', '~', '10000', '*', 'e', 'retrying', 't', at, 'k', kind, 'i',
    table.concat(ids, '\n', 1, count), 'w', worker, 'd', table.concat(dues, '\n', 1, count))
end
if groups or soon > 0 and redis.call('EXISTS', P .. 'i:' .. kind) == 1 then
  -- @include wake
  if groups then wakeAll(groups.soon) else wake(kind, soon) end
  wakeAll(unblocked)
end
return {'OK', at, answers}
