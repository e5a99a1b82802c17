"""The event log's steps in Redis: each is one atomic script, so that no two writers can interleave.

KEYS: the log's head (a hash: attempt, generation, sequence, and the deltas' introductions by their numbers), its
stream, its channel. Records come joined by ASCII RS, a whole batch as one argument, and are one entry of the
stream, whose id is `<sequence of the last of them>-0`. What is published is `<generation>.<first sequence>`, RS,
and the records; beyond 64 KiB they stay away and the reader fetches them from the stream.
"""


def keys(run_id: str) -> list[str]:
    """The log's head, its stream, and the run's channel; the braces keep them on one Redis Cluster node."""
    return [f"run:{{{run_id}}}:head", f"run:{{{run_id}}}:events", f"run:{{{run_id}}}:live"]


PUBLISH = """
local function publish(channel, generation, first, records)
  redis.call('PUBLISH', channel, generation .. '.' .. first .. '\\30' .. (#records <= 65536 and records or ''))
end
"""

# attempt, generation, expiry (Unix ms), how many records, records, number and introduction … → 1, or 0 where a newer
# attempt or generation stands
BEGIN = (
    PUBLISH
    + """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation')
local attempt, generation, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
if held[1] and (tonumber(held[1]) > attempt or tonumber(held[2]) >= generation) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'attempt', attempt, 'generation', generation, 'sequence', count, unpack(ARGV, 6))
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
if count > 0 then
  redis.call('XADD', KEYS[2], count .. '-0', 'r', ARGV[5])
  redis.call('PEXPIREAT', KEYS[2], ARGV[3])
end
publish(KEYS[3], ARGV[2], 1, ARGV[5])
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

# attempt, generation, first sequence, how many records, records, expiry, tail (ms; closes the log) or "",
# number and introduction … → 1, 0 lost, -1 stale
APPEND = (
    PUBLISH
    + """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation', 'sequence')
if not held[1] then return 0 end
if tonumber(held[1]) > tonumber(ARGV[1]) then return -1 end
local first, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local sequence = tonumber(held[3])
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
if sequence == first - 1 + count then return 1 end
if sequence ~= first - 1 then return 0 end
redis.call('XADD', KEYS[2], (sequence + count) .. '-0', 'r', ARGV[5])
redis.call('HSET', KEYS[1], 'sequence', sequence + count, unpack(ARGV, 8))
if sequence == 0 then redis.call('PEXPIREAT', KEYS[2], ARGV[6]) end
if ARGV[7] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
publish(KEYS[3], ARGV[2], first, ARGV[5])
return 1
"""
)

# closing attempt, tail (ms), how many records, records → 1, or 0 where there is no open log
SEAL = (
    PUBLISH
    + """
local held = redis.call('HMGET', KEYS[1], 'attempt', 'generation', 'sequence')
if not held[1] or tonumber(held[1]) >= tonumber(ARGV[1]) then return 0 end
local sequence = tonumber(held[3])
redis.call('XADD', KEYS[2], (sequence + ARGV[3]) .. '-0', 'r', ARGV[4])
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'sequence', sequence + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
publish(KEYS[3], held[2], sequence + 1, ARGV[4])
return 1
"""
)

# generation, sequence, how many entries → {head, from, {last sequence, records} …}, or nothing where there is no log
READ = """
local head = redis.call('HGETALL', KEYS[1])
local held = {}
for i = 1, #head, 2 do held[head[i]] = head[i + 1] end
if not held['attempt'] then return false end
local from = tonumber(ARGV[2])
if held['generation'] ~= ARGV[1] or from > tonumber(held['sequence']) then from = 0 end
local entries = {head, from}
for _, row in ipairs(redis.call('XRANGE', KEYS[2], '(' .. from .. '-0', '+', 'COUNT', ARGV[3])) do
  entries[#entries + 1] = row[1]
  entries[#entries + 1] = row[2][2]
end
return entries
"""
