-- keep: what tick in header.lua does, in place of a function; see moment.lua.
if now - last >= 1000000 then
  redis.call('HDEL', meta, '')
  redis.call('HSET', meta, 'now', at)
end
