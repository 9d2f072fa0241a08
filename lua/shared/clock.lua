-- clock: the only reading of the wall clock. It sets, in place:
--   at    the manual time, which is every script's last argument, or the server's: us since 1970 as text
local at = ARGV[#ARGV]
if at == '' then
  local t = redis.call('TIME')
  if #t[2] == 6 then at = t[1] .. t[2] else at = t[1] .. string.sub('000000', #t[2] + 1) .. t[2] end
end
