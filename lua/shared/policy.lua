-- policy: when a task runs again, from its kind's policy. The policy is one text of the header's field k:<kind>:
-- "lease attempts backoff base cap factor jitter keep-succeeded keep-other delays", all durations in us, factor and
-- jitter in thousandths, backoff e (exponential), f (fixed) or l (list; delays joined by commas, the last one repeats);
-- then " timeout limit over": the most time of an attempt, the most waiting tasks (0 = none), and the state letter of a task
-- whose attempts are used up (x or n); then " soft", the time after which an attempt is asked to stop. Policies stored before
-- those existed lack them.
-- The jitter is drawn from the task's id and failure count, so any client can foretell the delay.
local function parsePolicy(text)
  local lease, attempts, backoff, base, cap, factor, jitter, _, _, delays, over =
    string.match(text, '^(%d+) (%d+) (%a) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) ?%d* ?%d* ?(%a?)')
  return {
    lease = tonumber(lease), attempts = tonumber(attempts), backoff = backoff, base = tonumber(base), cap = tonumber(cap),
    factor = tonumber(factor) / 1000, jitter = tonumber(jitter) / 1000, delays = delays, over = over == 'n' and 'n' or 'x',
  }
end

-- The most time that an attempt may take, us; 0 when it is not limited.
local function policyTimeout(text)
  return tonumber(text and string.match(text, ' (%d+) %d+ %a ?%d*$') or 0)
end

-- When the attempt that began then is to be asked to stop, as text; "" when it is not.
local function softDeadline(text, began)
  local soft = text and string.match(text, ' %a (%d+)$')
  return soft and int(began + soft) or ''
end

local function backoffDelay(policy, id, nth)
  local delay = policy.base
  if policy.backoff == 'e' then
    delay = math.min(policy.cap, policy.base * policy.factor ^ math.min(nth - 1, 64))
  elseif policy.backoff == 'l' then
    local i = 0
    for item in string.gmatch(policy.delays, '%d+') do
      i = i + 1
      delay = tonumber(item)
      if i == nth then break end
    end
  end
  if policy.jitter > 0 then
    local draw = tonumber(string.sub(redis.sha1hex(id .. ':' .. nth), 1, 8), 16) / 4294967296
    delay = delay * (1 + policy.jitter * (2 * draw - 1))
  end
  return math.floor(delay)
end
