-- forget: deletes tasks, their records and everything beside them. Most tasks have nothing beside them, and to look for a key that
-- is not there costs more the more there are, so the record tells: fields are the values of P, R, n and a.
-- forget(id, state, links, fields, first) collects, with these values from place first on; forgetAll() deletes: at most 7 keys a
-- task, 500 tasks a script, far below unpack's 8,000.
local forgotten = {}

local function forget(id, state, links, fields, first)
  local n, attempts = #forgotten + 1, fields[first + 2]
  forgotten[n] = P .. 't:' .. id
  if fields[first] then n, forgotten[n + 1] = n + 1, P .. 'b:' .. id end
  if fields[first + 1] then n, forgotten[n + 1] = n + 1, P .. 'o:' .. id end
  if links and string.find(links, 'v', 1, true) then n, forgotten[n + 1] = n + 1, P .. 'd:' .. id end
  if hasLists(state, attempts, fields[first + 3]) then
    forgotten[n + 1] = P .. 'l:' .. id
    -- What never began has no attempts.
    if attempts then forgotten[n + 2], forgotten[n + 3] = P .. 'a:' .. id, P .. 'e:' .. id end
  end
end

local function forgetAll()
  if #forgotten > 0 then redis.call('UNLINK', unpack(forgotten)) end
end
