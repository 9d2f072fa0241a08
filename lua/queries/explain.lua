-- explain: why a task does not run, with numbers.
-- KEYS    1 header  2 guard  3 record
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [field value ...] (of the record: kind state due attempts failures crashes limit begun worker ...) with:
--         ".gate" and ".gate*" who paused the kind and the whole tracker, "since actor message"; ".before" tasks of the kind that
--         are claimed before it; ".ended" tasks of the kind that ended well in the last minute; ".alive" workers that take the
--         kind; ".left" when the last one left or fell silent; ".expires" end of the lease; ".last" latest attempt;
--         ".parents" the first ten parents that have not ended, "state parent", joined by newlines
--         | GONE now
-- EMITS   nothing
-- COST    O(log n)
-- WHY     everything that keeps a task from running stands in its record, its kind's flags and its index; this only reads
-- @include clock
-- @include header
-- @include events
-- @include kin
local r = redis.call('HGETALL', KEYS[3])
local id = string.sub(KEYS[3], #P + 3)
local task = {}
for i = 1, #r, 2 do task[r[i]] = r[i + 1] end
local kind = task.k or ''
local refusal, head = begin({'k:' .. kind, 'q:' .. kind})
if refusal then return refusal end
needKin()
if not task.s then return {'GONE', at} end
local reply = {}
local function tell(name, value)
  if value and value ~= '' then reply[#reply + 1], reply[#reply + 2] = name, value end
end
for _, name in ipairs({'k', 's', 'c', 'd', 'u', 'b', 'n', 'f', 'x', 'z', 'l', 'q', 'w', 'rn', 'cr', 'X', 'to',
  'pc', 'pn', 'pw', 'cc', 'ex', 'us'}) do tell(name, task[name]) end
tell('.policy', head[5])
tell('.gate', redis.call('HGET', P .. 'gates', kind))
tell('.gate*', redis.call('HGET', P .. 'gates', ''))
if task.s == 'q' then
  local priority, before = task.q or '5', 0
  for digit in string.gmatch(head[6] or '5', '%d') do
    if digit > priority then before = before + redis.call('ZCOUNT', P .. 'q:' .. digit .. ':' .. kind, '-inf', at) end
  end
  local key, due = P .. 'q:' .. priority .. ':' .. kind, tonumber(task.d or task.c)
  if due <= now then
    local low = redis.call('ZCOUNT', key, '-inf', '(' .. int(due))
    tell('.before', int(before + low))
  end
  tell('.ended', int(redis.call('ZCOUNT', P .. 's:' .. kind, int(now - 60000000), '+inf')))
end
if task.s == 'j' then
  local parents, open = redis.call('LRANGE', P .. 'g:' .. id, 0, 99), {}
  for i = 1, #parents do
    local tag = string.match(parents[i], '^g:(.*)$')
    local state = tag and (holds(tag, 'qrhpj') and 'j' or 's') or not tag and redis.call('HGET', P .. parents[i], 's')
    if state and not over[state] and #open < 10 then open[#open + 1] = state .. ' ' .. parents[i] end
  end
  tell('.parents', table.concat(open, '\n'))
end
if task.s == 'r' or task.s == 'h' then
  local expires = redis.call('ZSCORE', P .. task.s .. ':' .. kind, id)
  if expires then tell('.expires', int(tonumber(expires))) end
end
tell('.alive', int(redis.call('ZCOUNT', P .. 'k:' .. kind, '(' .. at, '+inf')))
local left = redis.call('ZRANGE', P .. 'k:' .. kind, -1, -1, 'WITHSCORES')
if left[2] then tell('.left', int(tonumber(left[2]))) end
tell('.last', redis.call('LINDEX', P .. 'a:' .. id, -1))
return {'OK', at, reply}
