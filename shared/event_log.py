"""The event log: what a run has said, in order, for anyone who asks from any point.

One Redis Stream per run holds the records, a batch in an entry; a hash beside it says who may write (`attempt`),
where the log stands (`sequence`) and which life of it this is (`generation`: a log that Redis lost begins a new
one, with a snapshot). Every write is one Lua step that checks, numbers, keeps and publishes a whole batch, so no
event of an older attempt can follow one of a newer, and no sequence has a gap. Keys are hash-tagged by the run.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from shared.channels import REDIS_AWAY, Channels, Inbox
from shared.errors import StaleAttempt
from shared.log_scripts import APPEND, BEGIN, OPEN, READ, SEAL, keys
from shared.pen import Pen
from shared.records import RECORD_SEPARATOR, START, Cursor, End, Event, Record, Shorthand, decode, encode, flat
from shared.redis_line import Line

READ_ENTRIES = 500
CLOSED = 2**31 - 1
"""The attempt of a log that was closed from outside: newer than any."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records `first`, `first + 1`, … of one generation; empty after a quiet second or when `lost`."""

    generation: int = 0
    first: int = 0
    records: tuple[bytes, ...] = ()
    behind: bool = False
    """There is more in the log than this batch."""
    found: bool = True
    """False: Redis has no log of this run, or is away."""
    introductions: Mapping[bytes, bytes] = field(default_factory=dict)
    """What a reader that begins here must know to understand deltas (`Shorthand.learn`)."""

    @property
    def last(self) -> Cursor:
        return Cursor(self.generation, self.first + len(self.records) - 1)

    def after(self, cursor: Cursor) -> "Batch":
        """What of this batch comes after the cursor, which stands in the same generation."""
        skip = min(max(cursor.sequence + 1 - self.first, 0), len(self.records))
        return Batch(self.generation, self.first + skip, self.records[skip:]) if skip else self


class EventLog:
    """All runs' logs. Reading and following need `channels`; raises redis' own errors where it says nothing else."""

    append_script = APPEND

    def __init__(self, redis: Redis, channels: Channels, *, tail: float, quiet: float = 1.0) -> None:
        self._redis, self._channels = redis, channels
        self._tail_ms, self._quiet = int(tail * 1000), quiet
        self.rereads = 0
        """Times that following had to read the log again for another reason than quiet."""
        self._begin, self._open = redis.register_script(BEGIN), redis.register_script(OPEN)
        self._seal, self._read = redis.register_script(SEAL), redis.register_script(READ)

    async def ping(self) -> bool:
        """Whether the logs' Redis answers. Raises what it raises."""
        return bool(await self._redis.ping())

    async def begin(
        self, run_id: str, *, attempt: int, generation: int, expires_at: float, records: Sequence[Record]
    ) -> bool:
        """Start a generation with these records; False when this or a newer one, or a newer attempt, is there.

        `expires_at` is in seconds of the Unix clock: a log that is never closed goes by itself.
        """
        shorthand = Shorthand()
        joined = RECORD_SEPARATOR.join(map(shorthand.encode, records))
        head = (attempt, generation, int(expires_at * 1000), len(records))
        arguments: list[bytes | int] = [*head, joined, *flat(shorthand.introductions)]
        return bool(await self._begin(keys=keys(run_id), args=arguments))

    async def open(self, run_id: str, attempt: int) -> Cursor | None:
        """Claim the log for this attempt; where it stands, or None if Redis has none. Raises StaleAttempt."""
        generation, sequence = await self._open(keys=keys(run_id)[:1], args=[attempt])
        if generation == -2:
            raise StaleAttempt(run_id)
        return None if generation == -1 else Cursor(generation, sequence)

    async def pen(self) -> Pen:
        """A line of one's own to append by. Raises what Redis raises where it does not answer."""
        return await Pen.take(await Line.connect(self._redis), self.append_script, tail_ms=self._tail_ms)

    async def seal(self, run_id: str, records: Sequence[Event | End]) -> bool:
        """End the log from outside, whoever writes it: no attempt may append afterwards."""
        arguments: list[bytes | int] = [
            CLOSED,
            self._tail_ms,
            len(records),
            RECORD_SEPARATOR.join(map(encode, records)),
        ]
        return bool(await self._seal(keys=keys(run_id), args=arguments))

    async def read(self, run_id: str, after: Cursor = START) -> Batch:
        """What is in the log after the cursor, up to 500 appends; all of it if the cursor is of another life."""
        arguments = [after.generation, after.sequence, READ_ENTRIES]
        found = await self._read(keys=keys(run_id)[:2], args=arguments)
        if not found:
            return Batch(found=False)
        names, start, *entries = found
        head = dict(zip(names[::2], names[1::2], strict=True))
        records = [record for records in entries[1::2] for record in records.split(RECORD_SEPARATOR)]
        last = int(entries[-2].partition(b"-")[0]) if entries else start
        return Batch(
            generation=int(head[b"generation"]),
            first=start + 1,
            # The first entry may begin before the cursor: a batch is kept whole.
            records=tuple(records[len(records) - (last - start) :]),
            behind=last < int(head[b"sequence"]),
            introductions={number: part for number, part in head.items() if number.isdigit()},
        )

    async def records(self, run_id: str, shorthand: Shorthand | None = None) -> AsyncIterator[Record]:
        """Everything that is in the log now, decoded; `shorthand` then knows what is needed to write on."""
        shorthand, cursor, behind = shorthand or Shorthand(), START, True
        while behind:
            batch = await self.read(run_id, cursor)
            shorthand.learn(batch.introductions)
            for record in batch.records:
                yield shorthand.decode(record)
            cursor, behind = batch.last, batch.behind

    async def follow(self, run_id: str, after: Cursor = START) -> AsyncGenerator[Batch, None]:
        """Every record after the cursor, in order, each once, until the log's end; an empty batch a quiet second.

        Live messages are taken in order; at a gap, an overflow, a renewed connection or a quiet second the log
        itself is read again. Redis being away looks like quiet, with `found` False.
        """
        async with self._channels.listen(keys(run_id)[2]) as inbox:
            cursor = after
            while True:
                batch = await self._catch_up(run_id, cursor)
                yield batch
                if batch.records:
                    cursor = batch.last
                if ended(batch):
                    return
                if batch.behind:
                    continue
                async for live in self._live(inbox, cursor):
                    yield live
                    cursor = live.last
                    if ended(live):
                        return

    async def _catch_up(self, run_id: str, cursor: Cursor) -> Batch:
        try:
            return await self.read(run_id, cursor)
        except REDIS_AWAY:
            return Batch(found=False)

    async def _live(self, inbox: Inbox, cursor: Cursor) -> AsyncIterator[Batch]:
        """Batches from the channel for as long as they follow on without a gap."""
        while await inbox.wait(self._quiet):
            missed, messages = inbox.take()
            for message in messages:
                batch = _published(message)
                if batch.generation != cursor.generation or batch.first > cursor.sequence + 1 or not batch.records:
                    self.rereads += 1
                    return
                rest = batch.after(cursor)
                if rest.records:
                    cursor = rest.last
                    yield rest
            if missed:
                self.rereads += 1
                return


def ended(batch: Batch) -> bool:
    """Whether this batch closes the log."""
    return bool(batch.records) and batch.records[-1][:1] == b"x"


def end_status(batch: Batch) -> str:
    """The status a closing batch carries."""
    record = decode(batch.records[-1])
    assert isinstance(record, End)
    return record.status


def _published(message: bytes) -> Batch:
    head, _, records = message.partition(RECORD_SEPARATOR)
    generation, first = head.split(b".")
    return Batch(int(generation), int(first), tuple(records.split(RECORD_SEPARATOR)) if records else ())
