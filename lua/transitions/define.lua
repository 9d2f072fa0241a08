-- define: stores a kind's policy, so that every host and language sees the same.
-- KEYS    1 header  2 guard
-- ARGV    1 kind  2 policy (see shared/policy.lua)  3 mode: "create" refuses a kind stored with another policy, "replace" overwrites
--         4 manual time, us, or ""
-- RETURNS OK now policy | CONFLICT now stored-policy | FULL now limit
-- EMITS   defined (one event, the policy as its detail) when something changed
-- COST    O(1)
-- WHY     policy is data: a worker in any language computes nothing, and an operator can change it while tasks wait
-- @include clock
-- @include header
-- @include events
local kind, policy, mode = ARGV[1], ARGV[2], ARGV[3]
local refusal, head = begin({'k:' .. kind})
if refusal then return refusal end
local stored = head[5]
if stored == policy then return {'OK', at, stored} end
if stored and mode ~= 'replace' then return {'CONFLICT', at, stored} end
if not stored and kindCountWith(head, 1) > 1000 then return {'FULL', at, '1000'} end
if not stored then redis.call('HSET', meta, 'k:' .. kind, policy, 'q:' .. kind, '5')
else redis.call('HSET', meta, 'k:' .. kind, policy) end
tick()
note('defined', kind, '', policy)
emit()
return {'OK', at, policy}
