-- targets: the tasks that a script is to work on: those that KEYS name, or those of a tag in some states.
-- targets(tag, letters, limit, skip) answers their keys, and 1 when more of the tag may follow. skip: so many of the tag's held
-- tasks (r, h) are passed over, because they were seen before and stay where they are.
local function targets(tag, letters, limit, skip)
  local keys = {}
  if tag == '' then
    for i = 3, #KEYS do keys[i - 2] = KEYS[i] end
    return keys, 0
  end
  for letter in string.gmatch(letters, '%a') do
    local key, from = P .. 'm:' .. letter .. ':' .. tag, 0
    if skip and (letter == 'r' or letter == 'h') then
      from = skip
      skip = math.max(0, skip - redis.call('ZCARD', key))
    end
    if #keys < limit then
      local ids = redis.call('ZRANGE', key, from, from + limit - #keys - 1)
      for i = 1, #ids do keys[#keys + 1] = P .. 't:' .. ids[i] end
    end
  end
  return keys, #keys >= limit and 1 or 0
end
