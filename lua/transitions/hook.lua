-- hook: stores a rule of finished hooks, or removes it; runners read the rules and act when tasks end.
-- KEYS    1 header  2 guard
-- ARGV    1 name  2 rule, JSON text ("" = remove it)  3 kind of the tasks that it enqueues, or ""  4 manual time, us, or ""
-- RETURNS OK now | FULL now limit | UNKNOWN_KIND now kind | GONE now
-- EMITS   nothing
-- COST    O(1)
-- WHY     a rule is data, so any host and language can run it; no script reads more of it than the kind that the caller
--         names. A rule acts on what ended since it was first stored: to replace it neither repeats nor skips an end
-- @include clock
-- @include header
local hooks, name, rule, kind = P .. 'hooks', ARGV[1], ARGV[2], ARGV[3]
local refusal, head = begin({'k:' .. kind})
if refusal then return refusal end
local stored = redis.call('HGET', hooks, name)
if rule == '' then
  if not stored then return {'GONE', at} end
  redis.call('HDEL', hooks, name)
  tick()
  return {'OK', at}
end
if kind ~= '' and not head[5] then return {'UNKNOWN_KIND', at, kind} end
if not stored and redis.call('HLEN', hooks) >= 100 then return {'FULL', at, '100'} end
local since = stored and string.match(stored, '^%d+') or at
if stored == since .. ' ' .. rule then return {'OK', at} end
redis.call('HSET', hooks, name, since .. ' ' .. rule)
tick()
return {'OK', at}
