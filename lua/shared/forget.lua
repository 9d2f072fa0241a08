-- forget: deletes a task's keys, its record and everything beside it.
local function forget(id)
  redis.call('UNLINK', P .. 't:' .. id, P .. 'b:' .. id, P .. 'o:' .. id, P .. 'd:' .. id, P .. 'a:' .. id, P .. 'e:' .. id,
    P .. 'l:' .. id)
end
