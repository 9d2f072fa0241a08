-- stats: how many tasks of each kind are in each state, how old the oldest ready one is, and when the next is due.
-- KEYS    1 header  2 guard
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [[kind ready scheduled running succeeded exhausted cancelled oldest-due-or-"" next-due-or-"" paused ignored
--         blocked kind-is-paused(0|1)] ...] workers tracker-is-paused(0|1)
-- EMITS   nothing
-- COST    O(kinds * log n): counts are the sizes of the indexes, nothing is counted twice or kept apart
-- WHY     ready is due now; scheduled is ready with a later due time (delayed, or waiting to be retried)
-- @include clock
-- @include header
-- @include allkinds
local refusal = begin({})
if refusal then return refusal end
local names, _, priorities = allKinds()
local reply, there = {}, nil
if #names > 16 then  -- of many kinds most have no task in most states
  local keys = {}
  for letter in string.gmatch('rsxcphnj', '%a') do
    for i = 1, #names do keys[#keys + 1] = P .. letter .. ':' .. names[i] end
  end
  there = present(keys)
end
local function count(letter, kind)
  local key = P .. letter .. ':' .. kind
  return (not there or there[key]) and redis.call('ZCARD', key) or 0
end
for i = 1, #names do
  local kind, ready, waiting, oldest, soonest = names[i], 0, 0, nil, nil
  for digit in string.gmatch(priorities[i], '%d') do
    local key = P .. 'q:' .. digit .. ':' .. kind
    local all = redis.call('ZCARD', key)
    if all > 0 then
      local due = redis.call('ZCOUNT', key, '-inf', at)
      ready, waiting = ready + due, waiting + all - due
      if due > 0 then
        local first = tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
        if not oldest or first < oldest then oldest = first end
      end
      if all > due then
        local first = tonumber(redis.call('ZRANGE', key, due, due, 'WITHSCORES')[2])
        if not soonest or first < soonest then soonest = first end
      end
    end
  end
  reply[i] = {kind, ready, waiting, count('r', kind), count('s', kind), count('x', kind), count('c', kind),
    oldest and int(oldest) or '', soonest and int(soonest) or '', count('p', kind) + count('h', kind), count('n', kind),
    count('j', kind), string.find(priorities[i], '!', 1, true) and 1 or 0}
end
return {'OK', at, reply, redis.call('ZCARD', P .. 'workers'), redis.call('HEXISTS', meta, 'gate')}
