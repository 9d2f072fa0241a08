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
-- @include clock
-- @include groups
-- @include events
-- @include kin
-- @include history
-- @include policy
-- @include wake
local kinds, records = {}, {}
for i = 1, #KEYS - 2 do
  local r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'n', 'f', 'q', 'l', 'b', 'w', 'X', 'L')
  records[i] = r
  if r[4] and not kinds[r[4]] then
    kinds[r[4]] = true
    kinds[#kinds + 1] = 'k:' .. r[4]
  end
end
local refusal, head = begin(kinds)
if refusal then return refusal end
for i = 1, #kinds do kinds[string.sub(kinds[i], 3)] = parsePolicy(head[4 + i]) end

local answers, moves, leave, enter, soon, seen = {}, {}, {}, {}, {}, {}
for i = 1, #KEYS - 2 do
  local r, a = records[i], 6 * i
  local id = string.sub(KEYS[2 + i], #P + 3)
  if #ARGV[a] + #ARGV[a - 1] > 16384 then return {'TOO_LARGE', at, i, '16384'} end
  if not r[1] then
    answers[i] = 'GONE'
  elseif r[2] ~= ARGV[a - 5] or r[3] ~= ARGV[a - 4] or seen[id] then
    answers[i] = 'STALE'
  elseif r[1] ~= 'r' and r[1] ~= 'h' then
    seen[id] = true
    local outcome, answer = remembered(id, r[3])
    if outcome == 'failed' or outcome == 'cancelled' then answers[i] = answer else answers[i] = 'STALE' end
  else
    seen[id] = true
    local policy = kinds[r[4]]
    local limit = r[8] and tonumber(r[8]) or 0
    if limit == 0 then limit = policy.attempts end
    local m = {i = i, id = id, r = r, failures = (r[6] or 0) + 1, outcome = 'failed', to = 'q', due = false, text = false}
    if ARGV[a - 3] == 'c' or r[11] then
      m.to, m.outcome = 'c', 'cancelled'
    elseif ARGV[a - 3] == 'x' or tonumber(r[5]) >= limit then
      m.to = policy.over
    else
      m.due = now + (tonumber(ARGV[a - 2]) or backoffDelay(policy, id, m.failures))
      m.text = m.due == now and at or int(m.due)
    end
    moves[#moves + 1] = m
    answers[i] = m.to .. ' ' .. (m.text or m.to == 'n' and '-n' or '-')
    drop(leave, P .. r[1] .. ':' .. r[4], id)
  end
end
removeAll(leave)
for j = 1, #moves do
  local m = moves[j]
  local kind = m.r[4]
  local count = m.outcome == 'failed' and m.failures or m.failures - 1
  local failures = count == 1 and '1' or int(count)
  if m.due then
    redis.call('HSET', KEYS[2 + m.i], 's', 'q', 'f', failures, 'u', at, 'd', m.text)
    add(enter, P .. 'q:' .. (m.r[7] or '5') .. ':' .. kind, m.text, m.id)
    note('retrying', kind, m.id, m.text, m.r[10])
    if m.due <= now + 1000000 then soon[kind] = (soon[kind] or 0) + 1 end
  else
    redis.call('HSET', KEYS[2 + m.i], 's', m.to, 'f', failures, 'u', at)
    add(enter, P .. m.to .. ':' .. kind, at, m.id)
    note(m.to == 'x' and 'exhausted' or m.to == 'n' and 'ignored' or 'cancelled', kind, m.id, nil, m.r[10])
  end
  if m.r[12] then moved(m.id, kind, m.r[12], m.r[1], m.to, m.text or at) end
  remember(m.id, m.r[5], m.r[3], m.r[9], m.outcome, m.r[10], m.text or m.to == 'n' and '-n', ARGV[6 * m.i - 1], ARGV[6 * m.i])
end
addAll(enter)
local unblocked = settle()
tick()
emit()
wakeAll(soon)
wakeAll(unblocked)
return {'OK', at, answers}
