-- events: one stream entry per script and (event, kind, worker); it names every task that the script moved.
-- note(event, kind, id, detail, worker) collects; emit() writes. Fields of an entry: e event, t time us, k kind,
-- i ids and d details (both joined by a newline, in the same order; d only when each has a detail), w worker when one acted.
local notes = {}

local function note(event, kind, id, detail, worker)
  -- What a script tells in a row is mostly of one sort.
  local entry = notes[#notes]
  if not entry or entry.event ~= event or entry.kind ~= kind or entry.worker ~= worker then
    local name = event .. '\n' .. kind .. '\n' .. (worker or '')
    entry = notes[name]
    if not entry then
      entry = {event = event, kind = kind, worker = worker, ids = {id}, details = detail and {detail}}
      notes[name] = entry
      notes[#notes + 1] = entry
      return
    end
  end
  local n = #entry.ids + 1
  entry.ids[n] = id
  if not detail then entry.details = nil
  elseif entry.details then entry.details[n] = detail end
end

local function emit()
  for i = 1, #notes do
    local entry = notes[i]
    local args = {'e', entry.event, 't', at, 'k', entry.kind, 'i', table.concat(entry.ids, '\n'), 'w', entry.worker}
    local n = entry.worker and 10 or 8
    if entry.details then
      args[n + 1], args[n + 2] = 'd', table.concat(entry.details, '\n')
      n = n + 2
    end
    redis.call('XADD', P .. 'events', 'MAXLEN', '~', '10000', '*', unpack(args, 1, n))
  end
end
