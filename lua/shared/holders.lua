-- holders: tells the workers that hold tasks that they were taken or are to stop, so that they look at their locks at once.
-- It is a script's last write, and its failure (an ACL without the channel) costs no more than the time to a renewal.
local function tellHolders(workers)
  for i = 1, #workers do redis.pcall('PUBLISH', P .. 'wake:' .. workers[i], 'cancel') end
end
