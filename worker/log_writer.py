"""Writing a run's event log, by the worker's flusher.

A run never waits for Redis and never fails because of it: records are kept while Redis is away, and a log that
Redis lost is begun anew, with a snapshot of what has been shown so far.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice

import structlog

from shared.channels import REDIS_AWAY
from shared.errors import StaleAttempt
from shared.fold import Fold
from shared.pen import Append, Appended
from shared.records import Cursor, End, Record, Shorthand
from shared.tables import Run
from worker.flusher import PAUSE, Flusher

logger = structlog.get_logger()

BATCH = 500


class LogWriter:
    """What one attempt says. `append` never waits; `stale` is set when a newer attempt has taken the log."""

    def __init__(self, flusher: Flusher, run: Run, prelude: Callable[[], Awaitable[Sequence[Record]]]) -> None:
        self.run, self.fold, self.stale = run, Fold(), asyncio.Event()
        self._flusher, self._prelude = flusher, prelude
        self._at: Cursor | None = None
        self._shorthand = Shorthand()
        self._kept: deque[Record] = deque()
        self._sending: Append | None = None
        """What is on its way to Redis: the first of what is kept. Until its result is known it is sent as it is."""
        self._settled = asyncio.Event()
        self._settled.set()
        self._resync: asyncio.Task[None] | None = None
        self.on_sent: Callable[[Sequence[bytes]], bool] | None = None
        """Told of each batch that Redis has, until it is true."""

    async def open(self) -> None:
        """Take the log for this attempt. Raises StaleAttempt; a log that is lost, or Redis away, is no error."""
        with suppress(*REDIS_AWAY):
            self._at = await self._flusher.log.open(self.run.id, self.run.attempt)
            if self._at is not None and self.run.attempt > 1:
                await self._read_back()
        if self._at is None:
            self._begin_anew()

    def open_soon(self) -> None:
        """The same for a run's first attempt, which has nothing to read back and need not wait for it."""
        self._flusher.keep(asyncio.create_task(self._open_meanwhile()))

    async def _open_meanwhile(self) -> None:
        try:
            await self.open()
        except StaleAttempt:
            self._become_stale()
        self._flusher.ring(self)

    def append(self, record: Record) -> None:
        """Say it: kept in order, sent soon."""
        self.fold.apply(record)
        self._kept.append(record)
        self._settled.clear()
        self._flusher.ring(self)

    async def settled(self, timeout: float) -> bool:
        """Wait until Redis has everything; False if it has not within so many seconds."""
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(timeout):
                await self._settled.wait()
        return self._settled.is_set()

    def batch(self) -> Append | None:
        """What the next round trip is to carry, if anything can go."""
        if self._at is None or self.stale.is_set():
            return None
        if self._sending is None and self._kept:
            records = [self._shorthand.encode(record) for record in islice(self._kept, BATCH)]
            self._sending = Append(self.run.id, self.run.attempt, self._at, records, self._expires_at)
        return self._sending

    def take_result(self, result: Appended) -> None:
        """What came of the batch."""
        match result:
            case Appended.DONE:
                assert self._at is not None
                assert self._sending is not None
                if self.on_sent is not None and self.on_sent(self._sending.records):
                    self.on_sent = None
                for _ in self._sending.records:
                    self._kept.popleft()
                self._at = Cursor(self._at.generation, self._at.sequence + len(self._sending.records))
                self._sending = None
                if self._kept:
                    self._flusher.ring(self)
                else:
                    self._settled.set()
            case Appended.STALE:
                self._become_stale()
            case Appended.LOST:
                self._begin_anew()

    @property
    def length(self) -> int:
        """How many records this life of the log holds, of which Redis knows."""
        return self._at.sequence if self._at is not None else 0

    @property
    def _expires_at(self) -> float:
        return self.run.deadline.timestamp() + self._flusher.tail

    def _become_stale(self) -> None:
        self._flusher.meter.fenced_at_log()
        self.stale.set()
        self._kept.clear()
        self._sending = None
        self._settled.set()

    def _begin_anew(self) -> None:
        self._at = self._sending = None
        self._settled.clear()
        if self._resync is None or self._resync.done():
            self._resync = asyncio.create_task(self._resynchronise())
            self._flusher.keep(self._resync)

    async def _resynchronise(self) -> None:
        """Start the log's next generation with a snapshot, as soon as Redis and Postgres both answer."""
        while not self.stale.is_set():
            try:
                if await self._next_life():
                    self._flusher.ring(self)
                    return
            except StaleAttempt:
                self._become_stale()
            except Exception as error:
                logger.warning("log cannot be begun anew yet", run=self.run.id, error=type(error).__name__)
            await asyncio.sleep(PAUSE)

    async def _next_life(self) -> bool:
        await self._flusher.log.open(self.run.id, self.run.attempt)
        generation = await self._flusher.runs.next_generation(self.run)
        prelude = await self._prelude()
        # From here to the assignment nothing waits but Redis: what is appended meanwhile stays behind the snapshot.
        snapshot, covered = [*prelude, *self.fold.snapshot()], len(self._kept)
        begun = await self._flusher.log.begin(
            self.run.id,
            attempt=self.run.attempt,
            generation=generation,
            expires_at=self._expires_at,
            records=snapshot,
        )
        if not begun:
            return False
        end = [self._kept[i] for i in range(covered) if isinstance(self._kept[i], End)]
        for _ in range(covered):
            self._kept.popleft()
        self._kept.extendleft(end)
        self._at, self._shorthand = Cursor(generation, len(snapshot)), Shorthand()
        if not self._kept:
            self._settled.set()
        self._flusher.meter.begun_anew()
        logger.info("log begun anew", run=self.run.id, attempt=self.run.attempt, generation=generation)
        return True

    async def _read_back(self) -> None:
        """Learn what the attempts before this one have shown."""
        async for record in self._flusher.log.records(self.run.id, self._shorthand):
            self.fold.apply(record)
