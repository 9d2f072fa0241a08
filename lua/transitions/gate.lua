-- gate: pauses a kind, or the whole tracker, so that nothing of it is claimed, or ends that; tasks are enqueued and wait.
-- KEYS    1 header  2 guard
-- ARGV    1 kind ("" = the whole tracker)  2 "pause" or "resume"  3 actor  4 message, at most 64 bytes  5 manual time, us, or ""
-- RETURNS OK now | UNKNOWN_KIND now kind
-- EMITS   kind-paused or kind-resumed (detail: the message), with the kind, when something changed
-- COST    O(1); O(kinds) to resume the whole tracker
-- WHY     a paused kind carries "!" in its flags, which a claim reads anyway, so an open gate costs nothing; who paused it and
--         when stands in the hash gates. Running tasks go on; claims of a named task are the caller's own decision
-- @include clock
-- @include header
-- @include events
-- @include allkinds
-- @include wake
local kind, pause, actor, message = ARGV[1], ARGV[2] == 'pause', ARGV[3], ARGV[4]
local refusal, head = begin({'k:' .. kind, 'q:' .. kind, 'gate'})
if refusal then return refusal end
local gates, changed = P .. 'gates', false
if kind == '' then
  changed = pause ~= (head[7] ~= false)
  if changed and pause then redis.call('HSET', meta, 'gate', '!')
  elseif changed then redis.call('HDEL', meta, 'gate') end
else
  if not head[5] then return {'UNKNOWN_KIND', at, kind} end
  local flags = head[6] or '5'
  local bare = string.gsub(flags, '!', '')
  changed = pause ~= (flags ~= bare)
  if changed then redis.call('HSET', meta, 'q:' .. kind, pause and flags .. '!' or bare) end
end
if changed then
  if pause then redis.call('HSET', gates, kind, at .. ' ' .. actor .. ' ' .. message) else redis.call('HDEL', gates, kind) end
  tick()
  note(pause and 'kind-paused' or 'kind-resumed', kind, '', message)
  emit()
  if not pause then
    local kinds = {kind}
    if kind == '' then kinds = allKinds() end
    for i = 1, #kinds do wake(kinds[i], 500) end
  end
end
return {'OK', at}
