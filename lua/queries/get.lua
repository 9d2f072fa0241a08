-- get: whole records of tasks by id.
-- KEYS    1 header  2 events  3.. record of each task
-- ARGV    1 manual time, us, or ""
-- RETURNS OK now [[field value ... ] | false ...] in the order of the tasks; beside the record's own fields:
--         ".expires" lease expiry, ".payload", ".result", ".last" latest remembered attempt
-- EMITS   nothing
-- COST    O(size of the records), at most 500 tasks
-- WHY     one round trip shows a task whole
-- @include clock
-- @include body
local refusal = begin({})
if refusal then return refusal end
local reply = {}
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
    if r.s == 'r' then
      local expires = redis.call('ZSCORE', P .. 'r:' .. r.k, id)
      if expires then also('.expires', int(tonumber(expires))) end
    end
    also('.payload', joinBody(r.p, r.p1, r.p2, r.p3, r.P, P .. 'b:' .. id))
    also('.result', joinBody(r.r, r.r1, r.r2, r.r3, r.R, P .. 'o:' .. id))
    also('.last', redis.call('LINDEX', P .. 'a:' .. id, -1))
    reply[i] = flat
  end
end
return {'OK', int(now), reply}
