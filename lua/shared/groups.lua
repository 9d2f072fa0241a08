-- groups: collects members of several sorted sets, so that a script touches each set once however many tasks it moves.
-- add(group, key, score, member) collects; addAll and removeAll write. At most 500 members a script, far below unpack's 8,000.
local function add(group, key, score, member)
  local list = group[key]
  if list then
    local n = #list
    list[n + 1], list[n + 2] = score, member
  else
    group[key] = {score, member}
    group[#group + 1] = key
  end
end

local function addAll(group)
  for i = 1, #group do redis.call('ZADD', group[i], unpack(group[group[i]])) end
end

local function drop(group, key, member)
  local list = group[key]
  if list then
    list[#list + 1] = member
  else
    group[key] = {member}
    group[#group + 1] = key
  end
end

local function removeAll(group)
  for i = 1, #group do redis.call('ZREM', group[i], unpack(group[group[i]])) end
end
