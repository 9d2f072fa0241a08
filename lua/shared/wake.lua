-- wake: tells idle workers that tasks of a kind became ready. Each idle worker listens on a channel of its own and stands
-- in i:<kind> by the end of its wait; it is taken out when told, so one task wakes one worker. A worker that no longer
-- listens (PUBLISH answers 0) is passed over, at most 8 times. Always the last write of a script, and its failure
-- (an ACL without the channel) costs one poll of at most a second, never a task.
local function wake(kind, count)
  local passed = 0
  while count > 0 and passed < 8 do
    local idle = redis.call('ZPOPMIN', P .. 'i:' .. kind, count == 1 and '1' or count)
    if #idle == 0 then return end
    for i = 1, #idle, 2 do
      local heard = redis.pcall('PUBLISH', P .. 'wake:' .. idle[i], 'ready')
      if type(heard) == 'table' then return end
      if heard > 0 then count = count - 1 else passed = passed + 1 end
    end
  end
end

local function wakeAll(counts)
  if not counts then return end
  for kind, count in pairs(counts) do wake(kind, count) end
end
