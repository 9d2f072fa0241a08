-- kin: what hangs together with a task beside its place among those of its kind. The field L of a record names by letters what
-- there is: m it has tags (m, m1 .. m7), c tasks wait for it (f:t:<id>), p it waits or waited for others (list g:<id>),
-- e it expires, u its content is unique; and where to look for more: y content type or trace, v data, r a response. A task
-- without L costs nothing here.
-- A parent is t:<id> or g:<tag>, all tasks of a tag. Tasks that wait for it stand in f:<parent>, score 1 when they want to
-- know of the first bad end of a tag, 0 when of its last end only. What a waiting task needs: pc, a letter and a number (e so
-- many ended, s so many succeeded, f so many did not, p as e, but at once when one did not), pn so many more, pw so many have
-- not ended yet.
-- moved(id, kind, links, from, to, score) is told of every move of a task that has L; from "" = created, to "-" = deleted.
-- A task that leaves j waits for nobody any more: it is taken out of f:<parent>, unless wasLast says that no parent is left.
-- What moves do to the sets of tags is collected, so that a script touches each set once however many tasks it moves; it is
-- written before any of these sets is read, before a task moves again, and by settle(), which so ends every script that moves tasks.
-- settle() then tells whoever waited, at most 200 in one script; the rest is set aside as f:<parent>\n<moment of the end>, named in
-- `ends`, for settleRest(): who joins the parent when it runs again is not told of its old end. Both answer how many became
-- ready, by kind, or nil.
-- Needs groups and events. Most tasks have no L, and a script pays for each function that it makes: these are made when they are first needed. needKin()
-- makes what a script uses of them by name: over, holds, judge.
local over, holds, judge, kin

local function needKin()
  if kin then return end
  kin = {}
  over = {s = true, x = true, c = true, n = true, ['-'] = true}
  local endings, pending, freed, budget = {}, {}, {}, 200
  local leave, enter, collected, awaited = {}, {}, {}, {}

  -- Most tasks have one tag, if any, and each further field that is asked for costs a walk through the record.
  local function tagsOf(id)
    local key = P .. 't:' .. id
    local tags = redis.call('HMGET', key, 'm', 'm1')
    if not tags[2] then return tags end
    return redis.call('HMGET', key, 'm', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7')
  end

  local function writeTags()
    if #leave + #enter == 0 then return end
    removeAll(leave)
    addAll(enter)
    leave, enter, collected = {}, {}, {}
  end

  -- Whether somebody waits for a tag. Who joins those who wait within the script says so (judge).
  local function isAwaited(tag)
    if awaited[tag] == nil then awaited[tag] = redis.call('EXISTS', P .. 'f:g:' .. tag) == 1 end
    return awaited[tag]
  end

  function holds(tag, letters)
    writeTags()
    for letter in string.gmatch(letters, '%a') do
      if redis.call('ZCARD', P .. 'm:' .. letter .. ':' .. tag) > 0 then return true end
    end
    return false
  end

  local function ending(parent, to)
    local e = pending[parent]
    if not e then
      e = {parent = parent}
      pending[parent] = e
      endings[#endings + 1] = e
    end
    if not e.to or to ~= 's' then e.to = to end
  end

  -- Takes away what is kept beside a task that is deleted.
  local function unlinked(id, kind, links)
    if string.find(links, 'u', 1, true) then
      local hash = redis.call('HGET', P .. 't:' .. id, 'uh')
      for _, slot in ipairs(hash and {hash, hash .. '*'} or {}) do
        if redis.call('HGET', P .. 'u:' .. kind, slot) == id then redis.call('HDEL', P .. 'u:' .. kind, slot) end
      end
    end
    if string.find(links, 'p', 1, true) then redis.call('UNLINK', P .. 'g:' .. id) end
  end

  function kin.moved(id, kind, links, from, to, score, wasLast)
    local isEnd = over[to] and not over[from]
    if string.find(links, 'm', 1, true) then
      if collected[id] then writeTags() end
      collected[id] = true
      local tags = tagsOf(id)
      for i = 1, 8 do
        local tag = tags[i]
        if not tag then break end
        if from ~= '' then drop(leave, P .. 'm:' .. from .. ':' .. tag, id) end
        if to ~= '-' then add(enter, P .. 'm:' .. to .. ':' .. tag, score, id) end
        if isEnd and isAwaited(tag) then ending('g:' .. tag, to) end
      end
    end
    if isEnd and string.find(links, 'c', 1, true) then ending('t:' .. id, to) end
    if from == 'j' and not wasLast and string.find(links, 'p', 1, true) then
      local parents = redis.call('LRANGE', P .. 'g:' .. id, 0, -1)
      for i = 1, #parents do redis.call('ZREM', P .. 'f:' .. parents[i], id) end
    end
    if to == '-' then unlinked(id, kind, links) end
  end

  -- What the end of one more parent means: the state after, what is needed still, and how many parents have not ended.
  local function weigh(condition, needed, left, isGood)
    if condition == 'p' and not isGood then needed = 0
    elseif condition == 'e' or condition == 'p' or (condition == 's') == isGood then needed = needed - 1 end
    return needed <= 0 and 'q' or left < needed and 'c' or 'j', needed, left
  end

  local function unblock(id, r, to, parent, left)
    local kind, score = r[2], at
    redis.call('ZREM', P .. 'j:' .. kind, id)
    if to == 'q' then
      local due = math.max(now, tonumber(r[7] or r[8]))
      score = int(due)
      redis.call('HSET', P .. 't:' .. id, 's', 'q', 'u', at, 'd', score)
      redis.call('ZADD', P .. 'q:' .. (r[3] or '5') .. ':' .. kind, score, id)
      note('unblocked', kind, id, score)
      if due <= now + 1000000 then freed[kind] = (freed[kind] or 0) + 1 end
    else
      redis.call('HSET', P .. 't:' .. id, 's', 'c', 'u', at, 'cc', 'parent ' .. parent)
      redis.call('ZADD', P .. 'c:' .. kind, at, id)
      note('parent-failed', kind, id, parent)
    end
    kin.moved(id, kind, r[9], 'j', to, score, left == 0)
  end

  -- Tells those who wait for a parent that it ended; of a tag that goes on, only those who want to know of a bad end.
  local function tell(parent, to, goesOn)
    local key = P .. 'f:' .. parent
    local name, ended = string.match(parent, '^([^\n]*)\n?(%d*)$')
    local waiting = {}
    if budget > 0 then waiting = redis.call('ZRANGEBYSCORE', key, goesOn and 1 or 0, 1, 'LIMIT', 0, budget) end
    if #waiting > 0 then redis.call('ZREM', key, unpack(waiting)) end
    budget = budget - #waiting
    for i = 1, #waiting do
      local id = waiting[i]
      local r = redis.call('HMGET', P .. 't:' .. id, 's', 'k', 'q', 'pc', 'pn', 'pw', 'd', 'c', 'L', 'u')
      if r[1] == 'j' and not (ended ~= '' and tonumber(r[10] or r[8]) > tonumber(ended)) then
        local state, needed, left = weigh(string.sub(r[4], 1, 1), tonumber(r[5]), tonumber(r[6]) - 1, to == 's')
        if state == 'j' then redis.call('HSET', P .. 't:' .. id, 'pn', needed, 'pw', left)
        else unblock(id, r, state, name, left) end
      end
    end
    if budget <= 0 and redis.call('ZCOUNT', key, goesOn and 1 or 0, 1) > 0 then
      if not goesOn and ended == '' then
        local moment, aside = now, nil
        repeat
          aside, moment = parent .. '\n' .. int(moment), moment + 1
        until redis.call('EXISTS', P .. 'f:' .. aside) == 0
        redis.call('RENAME', key, P .. 'f:' .. aside)
        parent = aside
      end
      redis.call('ZADD', P .. 'ends', at, (goesOn and 'E' or to) .. ' ' .. parent)
    end
  end

  function kin.settle()
    local i = 1
    while i <= #endings do
      local e = endings[i]
      pending[e.parent] = nil
      local tag = string.match(e.parent, '^g:(.*)$')
      if not tag then tell(e.parent, e.to)
      elseif holds(tag, 'qrhpj') then
        if e.to ~= 's' then tell(e.parent, 'x', true) end
      else tell(e.parent, (e.to ~= 's' or holds(tag, 'xcn')) and 'x' or 's') end
      i = i + 1
    end
    writeTags()
    return freed
  end

  function kin.settleRest(rest)
    for i = 1, #rest do
      local to, parent = string.match(rest[i], '^(.) (.*)$')
      redis.call('ZREM', P .. 'ends', rest[i])
      tell(parent, to == 'E' and 'x' or to, to == 'E')
    end
    return kin.settle()
  end

  -- Where a task stands that is to wait for its parents: j with what it needs still, having joined those who wait for them; q
  -- or c when it is decided already, and the parent that decided it.
  function judge(id, parents, condition, needed)
    local left, open, state = #parents, {}, 'j'
    for i = 1, #parents do
      local tag, isOver, isGood = string.match(parents[i], '^g:(.*)$'), nil, nil
      if tag then
        local spoilt = holds(tag, 'xcn')
        isOver = not holds(tag, 'qrhpj') or spoilt and condition ~= 'e'
        isGood = not spoilt
      else
        local s = redis.call('HGET', P .. parents[i], 's')
        isOver, isGood = not s or over[s], s == 's'
      end
      if isOver then
        left = left - 1
        state, needed, left = weigh(condition, needed, left, isGood)
        if state ~= 'j' then return state, needed, left, parents[i] end
      else
        open[#open + 1] = parents[i]
      end
    end
    for i = 1, #open do
      redis.call('ZADD', P .. 'f:' .. open[i], condition == 'e' and 0 or 1, id)
      awaited[string.sub(open[i], 3)] = true
      if string.sub(open[i], 1, 2) == 't:' then
        local links = redis.call('HGET', P .. open[i], 'L') or ''
        if not string.find(links, 'c', 1, true) then redis.call('HSET', P .. open[i], 'L', links .. 'c') end
      end
    end
    return state, needed, left
  end
end

local function moved(...)
  needKin()
  kin.moved(...)
end

local function settle()
  return kin and kin.settle()
end

local function settleRest()
  local rest = redis.call('ZRANGE', P .. 'ends', 0, 9)
  if #rest == 0 then return settle() end
  needKin()
  return kin.settleRest(rest)
end
