"""The event log's steps in Redis: each is one atomic script, so that no two writers can interleave.

KEYS: the log's head (a hash: attempt, generation, sequence), its stream, its channel. A record's stream id is
`<sequence>-0`. What is published is `<generation>.<first sequence>`, then the records, joined by ASCII RS;
beyond 64 KiB the records stay away and the reader fetches them from the stream.
"""

PUBLISH = """
local function publish(channel, generation, first, records)
  local size = 0
  for _, record in ipairs(records) do size = size + #record end
  local body = size <= 65536 and table.concat(records, '\\30') or ''
  redis.call('PUBLISH', channel, generation .. '.' .. first .. '\\30' .. body)
end
"""

# attempt, generation, expiry (Unix ms), records … → 1, or 0 where a newer attempt or generation stands
BEGIN = (
    PUBLISH
    + """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation')
local attempt, generation = tonumber(ARGV[1]), tonumber(ARGV[2])
if held[1] and (tonumber(held[1]) > attempt or tonumber(held[2]) >= generation) then return 0 end
redis.call('DEL', KEYS[2])
local records = {}
for i = 4, #ARGV do
  records[i - 3] = ARGV[i]
  redis.call('XADD', KEYS[2], (i - 3) .. '-0', 'r', ARGV[i])
end
redis.call('HSET', KEYS[1], 'attempt', attempt, 'generation', generation, 'sequence', #records)
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
redis.call('PEXPIREAT', KEYS[2], ARGV[3])
publish(KEYS[3], ARGV[2], 1, records)
return 1
"""
)

# attempt → {generation, sequence}, {-1, 0} where there is no log, {-2, 0} where a newer attempt holds it
OPEN = """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation', 'sequence')
if not held[1] then return {-1, 0} end
if tonumber(held[1]) > tonumber(ARGV[1]) then return {-2, 0} end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1])
return {tonumber(held[2]), tonumber(held[3])}
"""

# attempt, generation, first sequence, expiry, tail (ms; closes the log) or "", records … → 1, 0 lost, -1 stale
APPEND = (
    PUBLISH
    + """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation', 'sequence')
if not held[1] then return 0 end
if tonumber(held[1]) > tonumber(ARGV[1]) then return -1 end
local first, records = tonumber(ARGV[3]), {}
for i = 6, #ARGV do records[i - 5] = ARGV[i] end
local sequence = tonumber(held[3])
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
if sequence == first - 1 + #records then return 1 end
if sequence ~= first - 1 then return 0 end
for i, record in ipairs(records) do redis.call('XADD', KEYS[2], (sequence + i) .. '-0', 'r', record) end
redis.call('HSET', KEYS[1], 'sequence', sequence + #records)
if sequence == 0 then redis.call('PEXPIREAT', KEYS[2], ARGV[4]) end
if ARGV[5] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
publish(KEYS[3], ARGV[2], first, records)
return 1
"""
)

# closing attempt, tail (ms), records … → 1, or 0 where there is no open log
SEAL = (
    PUBLISH
    + """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation', 'sequence')
if not held[1] or tonumber(held[1]) >= tonumber(ARGV[1]) then return 0 end
local sequence, records = tonumber(held[3]), {}
for i = 3, #ARGV do
  records[i - 2] = ARGV[i]
  redis.call('XADD', KEYS[2], (sequence + i - 2) .. '-0', 'r', ARGV[i])
end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'sequence', sequence + #records)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
publish(KEYS[3], held[2], sequence + 1, records)
return 1
"""
)

# generation, sequence, count → {generation, from, sequence, records}, or nothing where there is no log
READ = """
local held = redis.call('HMGET', KEYS[1], 'generation', 'sequence')
if not held[1] then return false end
local from = tonumber(ARGV[2])
if held[1] ~= ARGV[1] or from > tonumber(held[2]) then from = 0 end
local rows = redis.call('XRANGE', KEYS[2], '(' .. from .. '-0', '+', 'COUNT', ARGV[3])
local records = {}
for i, row in ipairs(rows) do records[i] = row[2][2] end
return {tonumber(held[1]), from, tonumber(held[2]), records}
"""
