-- acquire: takes the lock of one named task.
-- KEYS    1 header  2 events  3 record
-- ARGV    1 token  2 worker  3 lease, us ("" = the kind's own)  4 flags: d = although not due, l = although locked (the holder
--         is superseded), f = although exhausted or cancelled, r = begin anew although ended (fresh attempts, history kept)
--         5 manual time, us, or ""
-- RETURNS OK now [claim, as in claim] | GONE now | LOCKED now expires worker | NOT_DUE now due | ENDED now state
-- EMITS   claimed (detail: fence); reaped when the lease before it had run out; superseded when it was taken over
-- COST    O(log n)
-- WHY     a lease is free exactly at its expiry, so the caller need not wait for a reaper; a repeat finds its own token.
--         A task whose holder died is over when its attempts are used up or somebody cancelled it, as if it had been reaped
-- @include clock
-- @include body
-- @include groups
-- @include events
-- @include history
-- @include policy
local token, worker, ownLease, flags = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local key = KEYS[3]
local id = string.sub(key, #P + 3)
local r = redis.call('HMGET', key, 'k', 's', 'n', 'p', 'p1', 'p2', 'p3', 'P', 'c', 'd', 'f', 'x', 'ct', 'tr', 'l', 'g', 't', 'b', 'w', 'q', 'X')
local kind, state = r[1] or '', r[2]
local refusal, head = begin({'k:' .. kind})
if refusal then return refusal end
if not state then return {'GONE', int(now)} end

local body, trace = joinBody(r[4], r[5], r[6], r[7], r[8], P .. 'b:' .. id), joinTrace(key, r[14])
local function answer(n, fence, expires, begun)
  return {'OK', int(now), {id, kind, n, fence, int(expires), begun, body, r[9], r[10] or r[9], r[11] or '0', r[12] or '0',
    r[13] or '', trace}}
end
local function allows(flag) return string.find(flags, flag, 1, true) end

local policy = parsePolicy(head[5])
local attempts, fence = tonumber(r[3] or '0'), tonumber(r[16] or '0')
local limit = tonumber(r[15] or '0')
if limit == 0 then limit = policy.attempts end
local due = tonumber(r[10] or r[9])
local from, outcome, over
if state == 'r' then
  local expires = tonumber(redis.call('ZSCORE', P .. 'r:' .. kind, id) or '0')
  if r[17] == token then return answer(attempts, r[16], expires, r[18]) end
  local isFree = expires <= now and not held
  if not isFree and not allows('l') then return {'LOCKED', int(now), int(expires), r[19] or ''} end
  outcome = isFree and 'crashed' or 'superseded'
  from = P .. 'r:' .. kind
  if isFree then over = r[21] and 'c' or attempts >= limit and 'x' or nil end
elseif state == 'q' then
  if due > now and not allows('d') then return {'NOT_DUE', int(now), int(due)} end
  from = P .. 'q:' .. (r[20] or '5') .. ':' .. kind
else
  from, over = P .. state .. ':' .. kind, state
end
if over and not allows('r') and (over == 's' or not allows('f')) then
  if outcome then
    redis.call('ZREM', from, id)
    redis.call('HSET', key, 's', over, 'x', tonumber(r[12] or '0') + 1, 'u', now)
    redis.call('ZADD', P .. over .. ':' .. kind, now, id)
    remember(id, attempts, r[16], r[18], outcome, r[19], nil, '')
    note('reaped', kind, id, over, r[19])
    tick()
    emit()
  end
  return {'ENDED', int(now), over}
end

redis.call('ZREM', from, id)
if outcome then
  remember(id, attempts, r[16], r[18], outcome, r[19], now, '')
  note(outcome == 'crashed' and 'reaped' or outcome, kind, id, 'q', r[19])
  if outcome == 'crashed' then
    r[12] = int(tonumber(r[12] or '0') + 1)
    redis.call('HSET', key, 'x', r[12])
  end
end
if over and allows('r') then
  attempts, r[11], r[12] = 0, '0', '0'
  redis.call('HDEL', key, 'f', 'x', 'z', 'X', 'cr', 'pg', 'pm', 'r', 'r1', 'r2', 'r3', 'R', 'rt')
  redis.call('UNLINK', P .. 'o:' .. id)
elseif over or r[21] then
  redis.call('HDEL', key, 'X', 'cr')
end
attempts, fence = attempts + 1, math.max(fence + 1, now)
local expires = now + (ownLease or policy.lease)
redis.call('HSET', key, 's', 'r', 'n', attempts, 'g', fence, 't', token, 'b', now, 'w', worker)
redis.call('ZADD', P .. 'r:' .. kind, expires, id)
redis.call('ZADD', P .. 'workers', now, worker)
tick()
note('claimed', kind, id, int(fence), worker)
emit()
return answer(attempts, int(fence), expires, int(now))
