"""What Redis does in one step: scripts in Lua, each atomic, all keys of which lie in one slot of a cluster.

A script that writes first sees that it is still at home: the state bears the id that its caller knows, holds no fewer
writes than its caller has seen, and is kept by the run of the server for which it was settled. Otherwise it says so and
does nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

ROOM: Final = "{barrack-mcp}"
"""What every key begins with; the braces put them all into one slot."""


def key(*words: str) -> str:
    """Name a key."""
    return ":".join((ROOM, *words))


META: Final = key("state")
"""Which state it is, and how far it has come."""

DONE: Final = "done"
LOST: Final = "lost"
BACK: Final = "back"
ANEW: Final = "anew"


@dataclass(frozen=True)
class Script:
    """A script, and the digest by which Redis knows it.

    Attributes:
        text: In Lua.
        digest: Its SHA-1, as Redis has it.
    """

    text: str
    digest: str


def _script(*parts: str) -> Script:
    text = "\n".join(parts)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


_RUN: Final = """
local function run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end
"""
_NOW: Final = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""
_AT_HOME: Final = """
local found = redis.call('HMGET', KEYS[1], 'id', 'writes', 'run', 'era')
if found[1] ~= ARGV[1] then return {'lost'} end
if tonumber(found[2]) < tonumber(ARGV[2]) then return {'back'} end
if found[3] ~= run() then return {'anew'} end
-- first, so that a Redis that is full refuses all of it
local written = redis.call('HINCRBY', KEYS[1], 'writes', 1)
local function done(answer)
  return {'done', written, found[4], answer}
end
"""


def _write(*parts: str) -> Script:
    """KEYS[1] is the state's; ARGV[1] its id as known, ARGV[2] the writes as seen."""
    return _script(_RUN, _NOW, _AT_HOME, *parts)


OPEN: Final = _script(
    _RUN,
    """
    local found = redis.call('HMGET', KEYS[1], 'id', 'writes', 'run', 'era')
    if not found[1] then
      if ARGV[1] ~= '' then return {'lost'} end
      redis.call('HSET', KEYS[1], 'id', ARGV[3], 'writes', 0, 'run', '', 'era', ARGV[3])
      found = {ARGV[3], 0, '', ARGV[3]}
    end
    if ARGV[1] ~= '' and found[1] ~= ARGV[1] then return {'lost'} end
    if tonumber(found[2]) < tonumber(ARGV[2]) then return {'back'} end
    if found[3] ~= run() then return {'anew', found[1]} end
    return {'done', redis.call('HINCRBY', KEYS[1], 'writes', 1), found[4], found[1]}
    """,
)
"""Says which state it is; ARGV[3] is the id of one that is made now."""

SETTLE: Final = _script(
    _RUN,
    _NOW,
    """
    local found = redis.call('HMGET', KEYS[1], 'run', 'era')
    if found[1] == run() then return 2 end
    local count = 0
    for each = 6, 7 do count = count + redis.call('ZCARD', KEYS[each]) end
    local keeps = ARGV[1] == ''
    if not keeps then
      if found[2] ~= ARGV[2] or count ~= (#ARGV - 3) / 3 then return 0 end
      for each = 4, #ARGV, 3 do
        if redis.call('HGET', KEYS[2], ARGV[each]) ~= ARGV[each + 1] then return 0 end
      end
      for each = 4, #ARGV, 3 do
        local number
        for at = 6, 7 do
          number = number or redis.call('ZSCORE', KEYS[at], ARGV[each])
          redis.call('ZREM', KEYS[at], ARGV[each])
        end
        redis.call('ZADD', KEYS[9], number, ARGV[each])
        redis.call('HSET', KEYS[2], ARGV[each], ARGV[each + 2])
        redis.call('HINCRBY', KEYS[1], 'changes', 1)
      end
      redis.call('HSET', KEYS[1], 'era', ARGV[1])
    end
    redis.call('HSET', KEYS[1], 'run', run(), 'proves', ARGV[3])
    redis.call('HINCRBY', KEYS[1], 'writes', 1)
    local at = now()
    for _, name in ipairs(redis.call('ZRANGE', KEYS[11], 0, -1)) do redis.call('ZADD', KEYS[11], at, name) end
    return 1
    """,
)
"""Goes on with a new run of the server: as it was, or in the new era ARGV[1], in which what was open has expired."""

_NONCES: Final = """
local function is_good(at, nonce)
  local era = string.match(nonce, '^(%x+)%.')
  return (not era or era == found[4]) and not redis.call('ZSCORE', KEYS[at], nonce)
end
local function use(at, nonce, lapses, forgotten)
  redis.call('ZREMRANGEBYSCORE', KEYS[at], '-inf', forgotten)
  if not is_good(at, nonce) then return 0 end
  return redis.call('ZADD', KEYS[at], lapses, nonce)
end
"""
"""What is done with nonces, which KEYS[at] holds."""

USE: Final = _write(_NONCES, "return done(use(2, ARGV[3], ARGV[4], ARGV[5]))")

ADD_APPROVAL: Final = _write(
    """
    if ARGV[13] ~= '' then redis.call('HDEL', KEYS[11], ARGV[13]) end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[3])) do
      local binding = redis.call('HGET', KEYS[5], id)
      if redis.call('HGET', KEYS[4], binding) == id then redis.call('HDEL', KEYS[4], binding) end
      redis.call('HDEL', KEYS[2], id)
      redis.call('HDEL', KEYS[5], id)
      redis.call('ZREM', KEYS[3], id)
      for at = 6, 10 do redis.call('ZREM', KEYS[at], id) end
    end
    local held = redis.call('HGET', KEYS[4], ARGV[5])
    if held then return done(redis.call('HGET', KEYS[2], held)) end
    local waiting = 0
    for _, id in ipairs(redis.call('ZRANGE', KEYS[6], 0, -1)) do
      local other = cjson.decode(redis.call('HGET', KEYS[2], id))
      if other.caller == ARGV[10] and other.expires_at > tonumber(ARGV[11]) then waiting = waiting + 1 end
    end
    if waiting >= tonumber(ARGV[12]) then return done('') end
    redis.call('HSET', KEYS[2], ARGV[4], ARGV[6])
    redis.call('HSET', KEYS[5], ARGV[4], ARGV[5])
    redis.call('ZADD', KEYS[3], ARGV[7], ARGV[4])
    redis.call('ZADD', KEYS[5 + ARGV[8]], redis.call('HINCRBY', KEYS[1], 'number', 1), ARGV[4])
    if ARGV[9] == '1' then redis.call('HSET', KEYS[4], ARGV[5], ARGV[4]) end
    redis.call('HINCRBY', KEYS[1], 'changes', 1)
    return done(ARGV[6])
    """
)

_APPROVALS: Final = """
local function swap_approval(at, id, before, after, status, live, changed)
  if redis.call('HGET', KEYS[at], id) ~= before then return 0 end
  redis.call('HSET', KEYS[at], id, after)
  local number
  for each = at + 4, at + 8 do
    number = number or redis.call('ZSCORE', KEYS[each], id)
    redis.call('ZREM', KEYS[each], id)
  end
  redis.call('ZADD', KEYS[at + 3 + status], number, id)
  local binding = redis.call('HGET', KEYS[at + 3], id)
  if live == '1' then
    redis.call('HSET', KEYS[at + 2], binding, id)
  elseif redis.call('HGET', KEYS[at + 2], binding) == id then
    redis.call('HDEL', KEYS[at + 2], binding)
  end
  if changed == '1' then redis.call('HINCRBY', KEYS[1], 'changes', 1) end
  return 1
end
"""
"""What is done with approvals, which nine keys from KEYS[at] on hold."""

SWAP_APPROVAL: Final = _write(
    _APPROVALS, "return done(swap_approval(2, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]))"
)

BY_KEY: Final = _script(
    """
    local id = redis.call('HGET', KEYS[2], ARGV[1])
    return id and redis.call('HGET', KEYS[1], id)
    """
)
"""What a hash of records holds under the id that another has for a key."""

NEWEST: Final = _script(
    """
    local rows = {}
    for at = 2, #KEYS do
      local ids = redis.call('ZREVRANGE', KEYS[at], 0, ARGV[1] - 1, 'WITHSCORES')
      for each = 1, #ids, 2 do rows[#rows + 1] = {ids[each + 1], redis.call('HGET', KEYS[1], ids[each])} end
    end
    return rows
    """
)

_ENTRIES: Final = """
local function hold_entry(at, digest, forgotten)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[at + 1], '-inf', forgotten)) do
    local old = redis.call('HGET', KEYS[at + 3], id)
    if redis.call('HGET', KEYS[at + 2], old) == id then redis.call('HDEL', KEYS[at + 2], old) end
    redis.call('HDEL', KEYS[at], id)
    redis.call('HDEL', KEYS[at + 3], id)
    redis.call('ZREM', KEYS[at + 1], id)
    redis.call('ZREM', KEYS[at + 4], id)
  end
  local held = redis.call('HGET', KEYS[at + 2], digest)
  return held and redis.call('HGET', KEYS[at], held)
end
local function add_entry(at, id, digest, text, sent_at, live)
  redis.call('HSET', KEYS[at], id, text)
  redis.call('HSET', KEYS[at + 3], id, digest)
  redis.call('ZADD', KEYS[at + 1], sent_at, id)
  redis.call('ZADD', KEYS[at + 4], redis.call('HINCRBY', KEYS[1], 'number', 1), id)
  if live == '1' then redis.call('HSET', KEYS[at + 2], digest, id) end
end
local function swap_entry(at, id, before, after, live)
  if redis.call('HGET', KEYS[at], id) ~= before then return 0 end
  redis.call('HSET', KEYS[at], id, after)
  local digest = redis.call('HGET', KEYS[at + 3], id)
  if live == '1' then
    redis.call('HSET', KEYS[at + 2], digest, id)
  elseif redis.call('HGET', KEYS[at + 2], digest) == id then
    redis.call('HDEL', KEYS[at + 2], digest)
  end
  return 1
end
"""
"""What is done with entries, which five keys from KEYS[at] on hold."""

SWAP_ENTRY: Final = _write(_ENTRIES, "return done(swap_entry(2, ARGV[3], ARGV[4], ARGV[5], ARGV[6]))")

LIVE_ENTRIES: Final = _script(
    """
    local rows = {}
    for _, id in ipairs(redis.call('HVALS', KEYS[2])) do
      rows[#rows + 1] = {redis.call('ZSCORE', KEYS[3], id), redis.call('HGET', KEYS[1], id)}
    end
    return rows
    """
)

_HOLDINGS: Final = """
local function holdings(at)
  local bought = {}
  for _, id in ipairs(redis.call('ZRANGE', KEYS[at + 1], 0, -1)) do
    bought[#bought + 1] = redis.call('HGET', KEYS[at], id)
  end
  return {bought, redis.call('HVALS', KEYS[at + 2])}
end
"""
"""What of an account is known: KEYS[at] are the purchases of all, then those of the account, then its leases."""

LINE_UP: Final = _write(
    _HOLDINGS,
    """
    local number = redis.call('HINCRBY', KEYS[1], 'places', 1)
    redis.call('HSET', KEYS[2], number, ARGV[3])
    redis.call('ZADD', KEYS[3], now(), ARGV[4])
    return done({number, redis.call('HGETALL', KEYS[2]), ARGV[5] == '1' and holdings(4) or {}})
    """,
)

HOLDINGS: Final = _script(_HOLDINGS, "return holdings(1)")

LEAVE: Final = _write("return done(redis.call('HDEL', KEYS[2], ARGV[3]))")

_TRACES: Final = """
local function leave_traces(at, rows, since, most)
  for _, row in ipairs(rows) do
    redis.call('HSET', KEYS[at], row[1], row[2])
    redis.call('ZADD', KEYS[at + 1], row[3], row[1])
  end
  local function forget(latest)
    for _, thing in ipairs(redis.call('ZRANGEBYSCORE', KEYS[at + 1], '-inf', latest)) do
      redis.call('HDEL', KEYS[at], thing)
    end
    redis.call('ZREMRANGEBYSCORE', KEYS[at + 1], '-inf', latest)
  end
  forget(since)
  local surplus = redis.call('ZREVRANGE', KEYS[at + 1], most, most, 'WITHSCORES')
  if surplus[2] then forget(surplus[2]) end
end
"""
"""What is done with traces, which two keys from KEYS[at] on hold."""

TRACES: Final = _script(
    """
    local rows = {}
    for _, thing in ipairs(ARGV) do
      local caller = redis.call('HGET', KEYS[1], thing)
      if caller then rows[#rows + 1] = {thing, caller, redis.call('ZSCORE', KEYS[2], thing)} end
    end
    return rows
    """
)

KEEP_LEASE: Final = _write("return done(redis.call('HSET', KEYS[2], ARGV[3], ARGV[4]))")

_LEASES: Final = """
local function swap_lease(at, machine, before, after)
  if (redis.call('HGET', KEYS[at], machine) or '') ~= before then return 0 end
  if after == '' then redis.call('HDEL', KEYS[at], machine) else redis.call('HSET', KEYS[at], machine, after) end
  return 1
end
"""
"""What is done with the leases of an account, which KEYS[at] holds; an empty text is no lease."""

SWAP_LEASE: Final = _write(_LEASES, "return done(swap_lease(2, ARGV[3], ARGV[4], ARGV[5]))")

_PURCHASES: Final = """
local function keep_purchase(at, id, text)
  redis.call('HSET', KEYS[at], id, text)
  if not redis.call('ZSCORE', KEYS[at + 1], id) then
    redis.call('ZADD', KEYS[at + 1], redis.call('HINCRBY', KEYS[1], 'number', 1), id)
  end
end
local function drop_purchase(at, id)
  redis.call('HDEL', KEYS[at], id)
  redis.call('ZREM', KEYS[at + 1], id)
end
"""
"""What is done with purchases: KEYS[at] holds those of all, the next says which are the account's."""

BEGIN: Final = _write(
    _NONCES,
    _APPROVALS,
    _ENTRIES,
    _PURCHASES,
    _LEASES,
    """
    local start = cjson.decode(ARGV[3])
    local nonce, approval, entry, lease = start.nonce, start.approval, start.entry, start.lease
    local held = entry and hold_entry(12, entry[2], start.forgotten)
    if held then return done({'held', held}) end
    if nonce and not is_good(2, nonce[1]) then return done({'used'}) end
    if approval and swap_approval(3, unpack(approval)) == 0 then return done({'answered'}) end
    if nonce then use(2, unpack(nonce)) end
    if entry then add_entry(12, unpack(entry)) end
    for _, each in ipairs(start.purchases) do keep_purchase(17, unpack(each)) end
    if lease then swap_lease(19, unpack(lease)) end
    return done({'begun'})
    """,
)
"""Writes down that a call is about to be sent. What is in the way is looked for first: then nothing is written."""

FINISH: Final = _write(
    _ENTRIES,
    _PURCHASES,
    _LEASES,
    _TRACES,
    """
    local told, swapped = cjson.decode(ARGV[3]), 1
    if told.entry then swap_entry(2, unpack(told.entry)) end
    for _, each in ipairs(told.purchases) do keep_purchase(7, unpack(each)) end
    for _, id in ipairs(told.dropped) do drop_purchase(7, id) end
    for _, each in ipairs(told.leases) do swapped = swapped * swap_lease(9, unpack(each)) end
    if #told.traces > 0 then leave_traces(10, told.traces, told.since, told.most) end
    if told.place then redis.call('HDEL', KEYS[12], told.place) end
    return done(swapped)
    """,
)
"""Writes down what came of a call."""

LOOK_UP: Final = _script(
    """
    local function live(at, key)
      local id = redis.call('HGET', KEYS[at + 1], key)
      return id and redis.call('HGET', KEYS[at], id)
    end
    local approval
    for each = 2, #ARGV do approval = approval or live(3, ARGV[each]) end
    return {live(1, ARGV[1]) or '', approval or ''}
    """
)
"""What is open of a digest, ARGV[1], and of bindings: KEYS are entries, which are live, approvals, which are live."""

IN_ORDER: Final = _script(
    """
    local records = {}
    for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
      records[#records + 1] = redis.call('HGET', KEYS[1], id)
    end
    return records
    """
)

BEAT: Final = _write(
    """
    local at, gone = now(), {}
    local before = redis.call('ZSCORE', KEYS[2], ARGV[3])
    redis.call('ZADD', KEYS[2], at, ARGV[3])
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', at - ARGV[5])
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', at - ARGV[4])) do
      if redis.call('PUBSUB', 'NUMSUB', ARGV[6] .. name)[2] == 0 then gone[#gone + 1] = name end
    end
    return done({before and at - before > tonumber(ARGV[4]) and 1 or 0, gone})
    """
)
"""Says that a process is there, and hears which are not: those that were long silent and hold no connection."""

GO: Final = _write("return done(redis.call('ZADD', KEYS[2], now() - ARGV[4], ARGV[3]))")

CLAIM: Final = _script(
    _NOW,
    """
    local at, interval, credit = now(), tonumber(ARGV[1]), tonumber(ARGV[2])
    -- up to when the minutes are used up
    local used = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), at)
    -- no call can wait for ten minutes: the clock was set back
    if used > at + credit + 600000 then used = at + credit end
    local told, more = {}, 0
    for each = 4, #ARGV do
      local delay = math.max(0, used + interval - credit - at)
      if delay <= tonumber(ARGV[each]) then used = used + interval end
      told[#told + 1] = delay
    end
    -- what may lapse unused leaves half of the burst to those who need it
    while more < tonumber(ARGV[3]) and used + interval - at <= credit / 2 do
      used, more = used + interval, more + 1
    end
    if used > at then redis.call('SET', KEYS[1], used, 'PX', used - at) end
    table.insert(told, 1, more)
    return told
    """,
)
"""Claims requests: for each that can wait ARGV[4…] milliseconds, and up to ARGV[3] more that may go at once."""
