-- evict: what ends a foreign task. Its places are yz (all), ys:<state>, yn:<name> and yh:<host>, and its parent's yp:<uuid>;
-- the lists ys and yn name the states and names that are in use.
-- strike(group) takes those that nothing stands in any more out of these lists; the group's keys were just left.
-- evict(ids) deletes foreign tasks, at most 1,000. Children keep their parent's name: they may outlive it, as they may come first.
local function strike(group)
  for i = 1, #group do
    local letter, name = string.match(string.sub(group[i], #P + 1), '^y([sn]):(.*)$')
    if letter and redis.call('EXISTS', group[i]) == 0 then redis.call('ZREM', P .. 'y' .. letter, name) end
  end
end

local function evict(ids)
  local leave, records = {}, {}
  for i = 1, #ids do
    local r = redis.call('HMGET', P .. 'y:' .. ids[i], 's', '.name', 'h', '.parent_id')
    records[i] = P .. 'y:' .. ids[i]
    drop(leave, P .. 'yz', ids[i])
    for j, letter in ipairs({'s', 'n', 'h', 'p'}) do
      if r[j] then drop(leave, P .. 'y' .. letter .. ':' .. r[j], ids[i]) end
    end
  end
  removeAll(leave)
  strike(leave)
  if #records > 0 then redis.call('UNLINK', unpack(records)) end
end
