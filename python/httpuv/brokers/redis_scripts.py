"""Lua scripts; Redis runs each as one atomic step.

A topic has two keys, in one slot of a cluster: ``...:at`` is a hash with its epoch (e), its last
offset (o) and the bytes of its messages (b); ``...:log`` is a stream with the offsets as ids.
"""

#: Keys: at, log. Arguments: an epoch to begin with, most messages, most bytes, ms to keep them, ms
#: to remember the topic, channel, "SPUBLISH" or "PUBLISH", kind ("t" or "b"), event, data.
#: Returns epoch and offset.
PUBLISH = """
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0, 'b', 0)
end
local offset = redis.call('HINCRBY', KEYS[1], 'o', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local most = tonumber(ARGV[2])
if most > 0 then
  redis.call('XADD', KEYS[2], offset .. '-0', 'k', ARGV[8], 'v', ARGV[9], 'd', ARGV[10])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  local count = redis.call('XLEN', KEYS[2])
  local bytes = #ARGV[10]
  if count > 1 then
    bytes = redis.call('HINCRBY', KEYS[1], 'b', bytes)
  else
    redis.call('HSET', KEYS[1], 'b', bytes)
  end
  while count > 0 and (count > most or bytes > tonumber(ARGV[3])) do
    local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', KEYS[2], oldest[1])
    bytes = redis.call('HINCRBY', KEYS[1], 'b', -#oldest[2][6])
    count = count - 1
  end
end
redis.call(ARGV[7], ARGV[6],
  epoch .. ' ' .. offset .. ' ' .. ARGV[8] .. ' ' .. #ARGV[9] .. ' ' .. ARGV[9] .. ARGV[10])
return {epoch, offset}
"""

#: Keys: at, log. Arguments: an epoch to begin with, ms to remember the topic, the epoch and the
#: offset that are known ("" and "0": none). Returns epoch, offset and the entries behind that.
#: If Redis knows less than that, it has started again with older data: later messages get offsets
#: that others had, so there is a new epoch.
HISTORY = """
local epoch = redis.call('HGET', KEYS[1], 'e')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', epoch, 'o', 0, 'b', 0)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif epoch == ARGV[3] and tonumber(redis.call('HGET', KEYS[1], 'o')) < tonumber(ARGV[4]) then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'e', epoch)
end
local from = '-'
if epoch == ARGV[3] then from = '(' .. ARGV[4] .. '-0' end
return {epoch, redis.call('HGET', KEYS[1], 'o'), redis.call('XRANGE', KEYS[2], from, '+')}
"""
