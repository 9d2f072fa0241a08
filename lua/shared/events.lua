-- events: one stream entry per script and (event, kind, worker); it names every task that the script moved.
-- note(event, kind, id, detail, worker) collects; emit() writes. Fields of an entry: e event, t time us, k kind,
-- i ids and d details (both joined by a newline, in the same order; d only when a detail was given), w worker when one acted.
local notes = {}

local function note(event, kind, id, detail, worker)
  local name = event .. '\n' .. kind .. '\n' .. (worker or '')
  local entry = notes[name]
  if not entry then
    entry = {event = event, kind = kind, worker = worker, ids = {}, details = {}}
    notes[name] = entry
    notes[#notes + 1] = entry
  end
  entry.ids[#entry.ids + 1] = id
  if detail then entry.details[#entry.ids] = detail end
end

local function emit()
  for i = 1, #notes do
    local entry = notes[i]
    local args = {'e', entry.event, 't', at, 'k', entry.kind, 'i', table.concat(entry.ids, '\n')}
    if #entry.details == #entry.ids then
      args[#args + 1] = 'd'
      args[#args + 1] = table.concat(entry.details, '\n')
    end
    if entry.worker then
      args[#args + 1] = 'w'
      args[#args + 1] = entry.worker
    end
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', '10000', '*', unpack(args))
  end
end
