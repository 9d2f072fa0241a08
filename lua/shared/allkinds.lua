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
