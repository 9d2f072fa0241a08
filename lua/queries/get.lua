-- get: whole records of tasks by id.
-- KEYS    1 header  2 guard  3.. record of each task
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [[field value ... ] | false ...] in the order of the tasks; beside the record's own fields:
--         ".expires" lease expiry, ".payload", ".result", ".data", ".last" latest attempt that did not succeed, ".trace"
--         its backtrace
-- EMITS   nothing
-- COST    O(size of the records), at most 500 tasks
-- WHY     one round trip shows a task whole
-- @include clock
-- @include header
-- @include body
-- @include beside
local refusal = begin({})
if refusal then return refusal end
local reply, succeeded = {}, '^%d+ %d+ %d+ %d+ succeeded '
for i = 1, #KEYS - 2 do
  local flat = redis.call('HGETALL', KEYS[2 + i])
  if #flat == 0 then
    reply[i] = false
  else
    local id = string.sub(KEYS[2 + i], #P + 3)
    local r = {}
    for j = 1, #flat, 2 do r[flat[j]] = flat[j + 1] end
    local function also(name, value)
      if value and value ~= '' then flat[#flat + 1], flat[#flat + 2] = name, value end
    end
    if r.s == 'r' or r.s == 'h' then
      local expires = redis.call('ZSCORE', P .. r.s .. ':' .. r.k, id)
      if expires then also('.expires', int(tonumber(expires))) end
    end
    also('.payload', joinBody(r.p, r.p1, r.p2, r.p3, r.P, P .. 'b:' .. id))
    also('.result', joinBody(r.r, r.r1, r.r2, r.r3, r.R, P .. 'o:' .. id))
    if r.v or r.V then also('.data', joinBody(r.v, r.v1, r.v2, r.v3, r.V, P .. 'd:' .. id)) end
    local last = hasLists(r.s, r.n, r.a) and redis.call('LINDEX', P .. 'a:' .. id, -1)
    if last and string.find(last, succeeded) then  -- of a task that was begun anew
      local list = redis.call('LRANGE', P .. 'a:' .. id, 0, -2)
      last = nil
      for j = #list, 1, -1 do
        if not last and not string.find(list[j], succeeded) then last = list[j] end
      end
    end
    also('.last', last)
    local digest = last and string.match(last, '^[^\n]* (%x+)\n')
    if digest and #digest == 40 then also('.trace', redis.call('HGET', P .. 'e:' .. id, digest)) end
    reply[i] = flat
  end
end
return {'OK', at, reply}
