-- segment: keeps the registry of pipelines' segments: registers them, changes their tag, or forgets them.
-- KEYS    1 header  2 guard
-- ARGV    1 "register", "tag" or "forget"  2 number N of segments (1-1000)
--         register: N times name@key, name, key, version, kind, parameters (JSON, at most 4,096 bytes), parents (name@key joined by
--         newlines), rule, tag ("" = as it is); a parent is stored, or stands earlier in the call
--         tag: N times name@key, tag ("" = none)  |  forget: N times name@key
--         last: manual time, us, or ""
-- RETURNS OK now [outcome ...] in the order of the segments: KEPT (of one that was stored before only the tag may have changed)
--         | FORGOTTEN | IN_USE (tasks of it exist) | GONE
--         | FULL now limit | TOO_LARGE now index limit | UNKNOWN_PARENT now index parent
-- EMITS   nothing
-- COST    O(segments * log n)
-- WHY     name@key is the tag of all tasks of a segment, and the key is a digest of what they depend on, so the same segment
--         is registered again without a change, and a changed one is another. All of a call or none: a pipeline is stored whole.
--         Each has a time of creation of its own, a microsecond later than the one before, so that a listing has one order
-- @include clock
-- @include header
local mode, count = ARGV[1], tonumber(ARGV[2])
local refusal = begin({})
if refusal then return refusal end
local all, width = P .. 'segments', mode == 'register' and 9 or mode == 'tag' and 2 or 1
local outcomes, fresh, isNew = {}, 0, {}
local function known(instance) return isNew[instance] or redis.call('EXISTS', P .. 'S:' .. instance) == 1 end

for i = 1, count do
  local a = 3 + (i - 1) * width
  local instance = ARGV[a]
  if mode == 'register' then
    if #ARGV[a + 5] > 4096 then return {'TOO_LARGE', at, i, '4096'} end
    for parent in string.gmatch(ARGV[a + 6], '[^\n]+') do
      if not known(parent) then return {'UNKNOWN_PARENT', at, i, parent} end
    end
    outcomes[i] = 'KEPT'
    if not known(instance) then
      isNew[instance] = true
      fresh = fresh + 1
    end
  elseif not known(instance) then outcomes[i] = 'GONE'
  elseif mode == 'tag' then outcomes[i] = 'KEPT'
  else
    outcomes[i] = 'FORGOTTEN'
    for letter in string.gmatch('qrhpjsxcn', '%a') do
      if redis.call('ZCARD', P .. 'm:' .. letter .. ':' .. instance) > 0 then outcomes[i] = 'IN_USE' end
    end
  end
end
if fresh > 0 and redis.call('ZCARD', all) + fresh > 1000 then return {'FULL', at, '1000'} end

local newest = redis.call('ZRANGE', all, -1, -1, 'WITHSCORES')
local created = math.max(now, tonumber(newest[2] or '0') + 1)
redis.call('HDEL', meta, '')  -- a removal in any case, see tick in header.lua
for i = 1, count do
  local a = 3 + (i - 1) * width
  local instance = ARGV[a]
  local key = P .. 'S:' .. instance
  if isNew[instance] then
    redis.call('HSET', key, 'n', ARGV[a + 1], 'k', ARGV[a + 2], 'v', ARGV[a + 3], 'i', ARGV[a + 4], 'p', ARGV[a + 5],
      'f', ARGV[a + 6], 'r', ARGV[a + 7], 'g', ARGV[a + 8], 'c', int(created))
    redis.call('ZADD', all, int(created), instance)
    created = created + 1
    isNew[instance] = nil
  elseif mode == 'register' and ARGV[a + 8] ~= '' then redis.call('HSET', key, 'g', ARGV[a + 8])
  elseif mode == 'tag' and outcomes[i] == 'KEPT' then redis.call('HSET', key, 'g', ARGV[a + 1])
  elseif outcomes[i] == 'FORGOTTEN' then
    redis.call('ZREM', all, instance)
    redis.call('UNLINK', key)
  end
end
tick()
return {'OK', at, outcomes}
