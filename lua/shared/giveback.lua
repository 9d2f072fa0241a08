-- giveback: returns held tasks to ready without spending the attempt; release and snooze differ in due time and outcome.
-- ARGV for each task: token, fence, delay us. Answers as fail does.
local function giveBack(outcome, event)
  local refusal = begin({})
  if refusal then return refusal end
  local answers, moves, leave, enter, soon, seen = {}, {}, {}, {}, {}, {}
  for i = 1, #KEYS - 2 do
    local id = string.sub(KEYS[2 + i], #P + 3)
    local a = 3 * i
    local r = redis.call('HMGET', KEYS[2 + i], 's', 't', 'g', 'k', 'n', 'q', 'b', 'w', 'X', 'c', 'd', 'z', 'L')
    if not r[1] then
      answers[i] = 'GONE'
    elseif r[2] ~= ARGV[a - 2] or r[3] ~= ARGV[a - 1] or seen[id] then
      answers[i] = 'STALE'
    elseif r[1] ~= 'r' and r[1] ~= 'h' then
      seen[id] = true
      local was, answer = remembered(id, r[3])
      if was == outcome or was == 'cancelled' then answers[i] = answer else answers[i] = 'STALE' end
    else
      seen[id] = true
      local m = {i = i, id = id, r = r, to = r[9] and 'c' or 'q'}
      -- Without a delay the task keeps its place: it was due before, and it is the next to be claimed.
      if m.to == 'q' then m.due = ARGV[a] ~= '' and now + tonumber(ARGV[a]) or tonumber(r[11] or r[10]) end
      moves[#moves + 1] = m
      m.text = m.due and int(m.due)
      answers[i] = m.to .. ' ' .. (m.text or '-')
      drop(leave, P .. r[1] .. ':' .. r[4], id)
    end
  end
  removeAll(leave)
  for j = 1, #moves do
    local m = moves[j]
    local kind, key, worker = m.r[4], KEYS[2 + m.i], m.r[8]
    if m.due then
      local n = int(m.r[5] - 1)
      if outcome == 'snoozed' then
        redis.call('HSET', key, 's', 'q', 'n', n, 'u', at, 'd', m.text, 'a', '1', 'z', int((m.r[12] or 0) + 1))
      else
        redis.call('HSET', key, 's', 'q', 'n', n, 'u', at, 'd', m.text, 'a', '1')
      end
      add(enter, P .. 'q:' .. (m.r[6] or '5') .. ':' .. kind, m.text, m.id)
      note(event, kind, m.id, m.text, worker)
      if m.due <= now + 1000000 then soon[kind] = (soon[kind] or 0) + 1 end
    else
      redis.call('HSET', key, 's', 'c', 'u', at)
      add(enter, P .. 'c:' .. kind, at, m.id)
      note('cancelled', kind, m.id, nil, worker)
    end
    if m.r[13] then moved(m.id, kind, m.r[13], m.r[1], m.to, m.text or at) end
    remember(m.id, m.r[5], m.r[3], m.r[7], m.due and outcome or 'cancelled', worker, m.text, '')
  end
  addAll(enter)
  local unblocked = settle()
  tick()
  emit()
  wakeAll(soon)
  wakeAll(unblocked)
  return {'OK', at, answers}
end
