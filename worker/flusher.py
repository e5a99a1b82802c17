"""The worker's one sender: one round trip to Redis for whatever all its runs have said meanwhile.

Group commit without a timer: what is said while a round trip is in flight goes with the next one.
"""

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from shared.channels import REDIS_AWAY
from shared.event_log import EventLog
from shared.pen import Append, Appended, Pen
from shared.runs import Runs
from worker.metrics import WorkerMeter

logger = structlog.get_logger()

PAUSE = 0.2
"""Seconds between two tries while Redis is away."""


class Writer(Protocol):
    """One that has something to send, now and then."""

    def batch(self) -> Append | None:
        """What the next round trip is to carry, if anything can go; the same until its result is known."""

    def take_result(self, result: Appended) -> None:
        """What came of it."""


class Flusher:
    """The worker's one sender. `async with` starts and stops it."""

    def __init__(self, log: EventLog, runs: Runs, *, tail: float, meter: WorkerMeter) -> None:
        self.log, self.runs, self.tail, self.meter = log, runs, tail, meter
        self._dirty: dict[Writer, None] = {}
        self._due = False
        self._news, self._written = asyncio.Event(), asyncio.Event()
        self._pen: Pen | None = None
        self._on_its_way: list[tuple[Writer, Append]] = []
        self._answered = False
        """Redis has answered on this line: one that breaks is made anew at once, and no other."""
        self._sender: asyncio.Task[None] | None = None
        self._kept: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Flusher":
        self._sender = asyncio.create_task(self._send_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._kept:
            task.cancel()
        # More than once: redis-py swallows a cancellation that comes while it connects.
        while self._sender is not None and not self._sender.done():
            self._sender.cancel()
            await asyncio.wait([self._sender], timeout=0.1)

    def ring(self, writer: Writer) -> None:
        """This writer has something to send."""
        self._dirty[writer] = None
        if not self._due:
            # Not this moment: what other runs say before the loop turns goes with it.
            self._due = True
            asyncio.get_running_loop().call_soon(self._write)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a writer's task until it is done, or the worker stops."""
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    def _write(self) -> None:
        self._due = False
        self._news.set()
        if self._pen is None or self._on_its_way:
            return
        writers, self._dirty = list(self._dirty), {}
        self._on_its_way = [(writer, batch) for writer in writers if (batch := writer.batch())]
        if self._on_its_way:
            self._written.set()
            with suppress(*REDIS_AWAY):
                self._pen.write([batch for _, batch in self._on_its_way])

    async def _send_for_ever(self) -> None:
        while True:
            if not self._dirty:
                self._news.clear()
                await self._news.wait()
            self._answered = False
            try:
                await self._send()
            except REDIS_AWAY as error:
                self.meter.away(error)
                # What came of what was on its way is not known. It is sent again as it was, which is harmless.
                self._dirty.update((writer, None) for writer, _ in self._on_its_way)
                self._on_its_way = []
                logger.warning("log cannot be written", runs=len(self._dirty), error=type(error).__name__)
            if not self._answered:
                await asyncio.sleep(PAUSE)

    async def _send(self) -> None:
        """Write what there is to write, and what comes up while that is on its way, until the line ends."""
        pen = self._pen = await self.log.pen()
        try:
            self._write()
            while True:
                await self._written.wait()
                self._written.clear()
                results = await pen.results()
                self._answered = True
                sent, self._on_its_way = self._on_its_way, []
                for (writer, _), result in zip(sent, results, strict=True):
                    writer.take_result(result)
                self._write()
        finally:
            self._pen = None
            self._written.clear()
            await pen.close()
