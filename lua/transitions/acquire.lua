-- acquire: takes the lock of one named task.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 token  2 worker  3 lease, us ("" = the kind's own)  4 flags: d = although not due, l = although locked (the holder
--         is superseded), f = although exhausted, cancelled or ignored, r = begin anew although ended (fresh attempts, history
--         kept)  5 token of the lock that the caller holds and wants to renew as a new lock, or ""  6 manual time, us, or ""
-- RETURNS OK now id kind numbers payload rest, as in claim | GONE now | LOCKED now expires worker | NOT_DUE now due | PAUSED now
--         | ENDED now state | BLOCKED now: it waits for others
-- EMITS   claimed (detail: fence); reaped when the lease before it had run out; superseded when it was taken over
-- COST    O(log n)
-- WHY     a lease is free exactly at its expiry, so the caller need not wait for a reaper; a repeat finds its own token.
--         A task whose holder died is over when its attempts are used up or somebody cancelled it, as if it had been reaped
-- @include clock
-- @include header
-- @include body
-- @include groups
-- @include events
-- @include kin
-- @include history
-- @include policy
-- @include start
-- @include wake
local token, worker, ownLease, flags, held_ = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local key = KEYS[3]
local id = string.sub(key, #P + 3)
local r = redis.call('HMGET', key, 'k', 's', 'n', 'p', 'p1', 'p2', 'p3', 'P', 'c', 'd', 'f', 'x', 'ct', 'tr', 'l', 'g', 't', 'b', 'w', 'q', 'X', 'v', 'V',
  'to', 'u', 'L')
local kind, state = r[1] or '', r[2]
local refusal, head = begin({'k:' .. kind})
if refusal then return refusal end
if not state then return {'GONE', at} end

local body, trace = joinBody(r[4], r[5], r[6], r[7], r[8], P .. 'b:' .. id), joinTrace(key, r[14])
local data, dataType = joinData(key, id, r[22], r[23])
local function answer(n, fence, expires, begun, deadline)
  local soft, rest = softDeadline(head[5], begun), ''
  if r[13] or trace ~= '' or data ~= '' or dataType ~= '' or deadline or soft ~= '' then
    rest = {r[13] or '', trace, data, dataType, deadline or '', soft}
  end
  local numbers = int(n) .. ' ' .. fence .. ' ' .. int(expires) .. ' ' .. begun .. ' ' .. r[9] .. ' ' .. (r[10] or r[9]) .. ' '
    .. (r[11] or '0') .. ' ' .. (r[12] or '0')
  return {'OK', at, id, kind, numbers, body, rest}
end
local function allows(flag) return string.find(flags, flag, 1, true) end

local policy = parsePolicy(head[5])
local attempts, fence = tonumber(r[3] or '0'), tonumber(r[16] or '0')
local limit = tonumber(r[15] or '0')
if limit == 0 then limit = policy.attempts end
local due = tonumber(r[10] or r[9])
local from, outcome, over
if state == 'r' or state == 'h' then
  local expires = tonumber(redis.call('ZSCORE', P .. state .. ':' .. kind, id) or '0')
  if r[17] == token then return answer(attempts, r[16], expires, r[18], r[24]) end
  local isFree = expires <= now and not held
  if not isFree and not allows('l') and (held_ == '' or r[17] ~= held_) then
    return {'LOCKED', at, int(expires), r[19] or ''}
  end
  outcome = isFree and (r[24] and tonumber(r[24]) <= now and 'timedOut' or 'crashed') or 'superseded'
  from = P .. state .. ':' .. kind
  if isFree then over = r[21] and 'c' or attempts >= limit and policy.over or nil end
elseif state == 'q' then
  if due > now and not allows('d') then return {'NOT_DUE', at, int(due)} end
  from = P .. 'q:' .. (r[20] or '5') .. ':' .. kind
  local why, other
  if r[26] and attempts == 0 and not allows('f') then why, other = hindrance(id, kind, r[26], true) end
  if why then
    redis.call('ZREM', from, id)
    hinder(id, kind, why, other)
    note(why, kind, id, other)
    moved(id, kind, r[26], 'q', 'c', at)
    local unblocked = settle()
    tick()
    emit()
    wakeAll(unblocked)
    return {'ENDED', at, 'c'}
  end
elseif state == 'p' then
  return {'PAUSED', at}
elseif state == 'j' then
  return {'BLOCKED', at}
else
  from, over = P .. state .. ':' .. kind, state
end
if over and not allows('r') and (over == 's' or not allows('f')) then
  if outcome then
    redis.call('ZREM', from, id)
    redis.call('HSET', key, 's', over, 'x', tonumber(r[12] or '0') + 1, 'u', at)
    redis.call('ZADD', P .. over .. ':' .. kind, at, id)
    remember(id, attempts, r[16], r[18], outcome, r[19], over == 'n' and '-n', '')
    note('reaped', kind, id, over, r[19])
    if r[26] then moved(id, kind, r[26], state, over, at) end
    local unblocked = settle()
    tick()
    emit()
    wakeAll(unblocked)
  end
  return {'ENDED', at, over}
end

redis.call('ZREM', from, id)
if outcome then
  remember(id, attempts, r[16], r[18], outcome, r[19], now, '')
  note(outcome == 'superseded' and outcome or 'reaped', kind, id, 'q', r[19])
  if outcome ~= 'superseded' then
    r[12] = int(tonumber(r[12] or '0') + 1)
    redis.call('HSET', key, 'x', r[12])
  end
end
if state == 's' then remember(id, attempts, r[16], r[18], 'succeeded', r[19], nil, '', nil, r[25]) end
if over and allows('r') then
  attempts, r[11], r[12] = 0, '0', '0'
  redis.call('HDEL', key, 'f', 'x', 'z', 'X', 'cr', 'sg', 'cc')
elseif over then
  redis.call('HDEL', key, 'X', 'cr', 'sg', 'cc')
end
if over then redis.call('HSET', key, 'a', '1') end  -- its count of attempts and its state tell of them no more
attempts, fence = attempts + 1, math.max(fence + 1, now)
local expires, timeout = now + (ownLease or policy.lease), policyTimeout(head[5])
-- What belongs to the attempt before.
redis.call('HDEL', key, 'pg', 'pm', 'to', 'rn', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
if r[3] then redis.call('UNLINK', P .. 'o:' .. id) end
redis.call('HSET', key, 's', 'r', 'n', attempts, 'g', fence, 't', token, 'b', at, 'w', worker)
if timeout > 0 then
  expires = math.min(expires, now + timeout)
  redis.call('HSET', key, 'to', now + timeout)
end
redis.call('ZADD', P .. 'r:' .. kind, expires, id)
if r[26] then
  moved(id, kind, r[26], state, 'r', at)
  if string.find(r[26], 'u', 1, true) then started(id, kind) end
end
settle()
redis.call('ZADD', P .. 'workers', at, worker)
tick()
note('claimed', kind, id, int(fence), worker)
emit()
return answer(attempts, int(fence), expires, at, timeout > 0 and int(now + timeout))
