-- body: where payloads and results lie. A hash stays compact while every value is at most 64 bytes, so up to 256 bytes
-- lie in the record as fields name, name1, name2, name3; more lies in a string key of its own and the record's field
-- upper-case(name) holds the length. An empty body is stored as nothing.
-- putBody(record, n, name, bytes, prefix, id) writes behind the n elements of record and answers how many there are then;
-- the key of its own is prefix .. id.
local function putBody(record, n, name, bytes, prefix, id)
  local length = #bytes
  if length == 0 then return n end
  if length > 256 then
    redis.call('SET', prefix .. id, bytes)
    record[n + 1], record[n + 2] = string.upper(name), length
    return n + 2
  elseif length <= 64 then
    record[n + 1], record[n + 2] = name, bytes
    return n + 2
  end
  record[n + 1], record[n + 2] = name, string.sub(bytes, 1, 64)
  record[n + 3], record[n + 4] = name .. '1', string.sub(bytes, 65, 128)
  if length <= 128 then return n + 4 end
  record[n + 5], record[n + 6] = name .. '2', string.sub(bytes, 129, 192)
  if length <= 192 then return n + 6 end
  record[n + 7], record[n + 8] = name .. '3', string.sub(bytes, 193)
  return n + 8
end

-- Takes a body away before another is put in its place.
local function clearBody(record, name, contentType, key)
  redis.call('HDEL', record, name, name .. '1', name .. '2', name .. '3', string.upper(name), contentType)
  redis.call('UNLINK', key)
end

-- A trace context is at most 256 bytes, in the fields tr, tr1, tr2, tr3. It is rare, so the further ones are asked for only then.
local function joinTrace(key, first)
  if not first or #first < 64 then return first or '' end
  local rest = redis.call('HMGET', key, 'tr1', 'tr2', 'tr3')
  return first .. (rest[1] or '') .. (rest[2] or '') .. (rest[3] or '')
end

local function joinBody(a, b, c, d, own, key)
  if not a then
    if own then return redis.call('GET', key) or '' end
    return ''
  end
  if not b then return a end
  return a .. b .. (c or '') .. (d or '')
end

-- What holders saved with the task: fields v, v1-v3 or the length in V and the key d:<id>; its content type in vt. It is
-- rare, so the further fields are asked for only when there is any.
local function joinData(key, id, first, own)
  if not first and not own then return '', '' end
  local rest = redis.call('HMGET', key, 'v1', 'v2', 'v3', 'vt')
  return joinBody(first, rest[1], rest[2], rest[3], own, P .. 'd:' .. id), rest[4] or ''
end
