-- allkinds: names, policies and flags (the header's q:<kind>: priority digits in use, then letters) of all kinds, at most 1,000 a tracker, in the order of their names.
local function allKinds()
  local fields = redis.call('HGETALL', meta)
  local stored = {}
  for i = 1, #fields, 2 do stored[fields[i]] = fields[i + 1] end
  local names, policies, priorities = {}, {}, {}
  for field in pairs(stored) do
    if string.sub(field, 1, 2) == 'k:' then names[#names + 1] = string.sub(field, 3) end
  end
  table.sort(names)
  for i = 1, #names do
    policies[i] = stored['k:' .. names[i]]
    priorities[i] = stored['q:' .. names[i]] or '5'
  end
  return names, policies, priorities
end

-- Those of many keys that exist, as a list and as a set; asked for 16 at a time, so that what is empty costs little.
local function present(keys)
  local there = {}
  for i = 1, #keys, 16 do
    local last = math.min(i + 15, #keys)
    local left = redis.call('EXISTS', unpack(keys, i, last))
    for j = i, last do
      if left == 0 then break end
      if left == last - j + 1 or redis.call('EXISTS', keys[j]) == 1 then
        there[#there + 1], there[keys[j]] = keys[j], true
        left = left - 1
      end
    end
  end
  return there
end
