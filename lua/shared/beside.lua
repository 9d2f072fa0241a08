-- beside: whether a task may have lists beside its record: attempts (a:<id>, with their backtraces, e:<id>) and log lines
-- (l:<id>). Most have none. An attempt that failed or crashed is told by n, for it is counted there; whatever else begins a list
-- sets the field a, but for what ends in a state that tells enough.
local function hasLists(state, n, a)
  return a or state == 'x' or state == 'c' or state == 'n' or n and (state == 'q' or n ~= '1')
end
