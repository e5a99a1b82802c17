"""How the whole system stands, for a scrape: the queue by Postgres, the workers by Redis."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from shared.channels import REDIS_AWAY
from shared.database import AWAY, Database
from shared.queue import Queue

T = TypeVar("T")

FRESH_SECONDS = 2.0
PATIENCE_SECONDS = 1.0

# A run that was taken back has waited since it was rung for, not since its admission; one that was not rung for waits
# for its user's own, which no worker more would shorten.
_STANDING = """
SELECT (SELECT count(*) FROM runs WHERE status = 'queued') AS waiting,
       (SELECT count(*) FROM runs WHERE status = 'running') AS running,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(
            CASE WHEN attempt = 0 THEN created_at ELSE rung_at END))::float, 0)
        FROM runs WHERE status = 'queued' AND rung_at IS NOT NULL) AS oldest_seconds
"""


@dataclass(frozen=True)
class QueueStanding:
    """The queue as Postgres has it."""

    waiting: int
    running: int
    oldest_seconds: float


class Census:
    """What was last seen; None where the server that knows it did not answer in time."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._database, self._queue = database, queue
        self._taken_at = float("-inf")
        self.standing: QueueStanding | None = None
        self.workers: int | None = None

    async def take(self) -> None:
        """Look again, unless that was done a moment ago."""
        if time.monotonic() - self._taken_at < FRESH_SECONDS:
            return
        self._taken_at = time.monotonic()
        self.standing, self.workers = await asyncio.gather(
            _answer(self._standing()), _answer(self._queue.workers_seen())
        )

    async def _standing(self) -> QueueStanding:
        row = await self._database.across_users.one(_STANDING, {})
        assert row is not None
        return QueueStanding(**row)


async def _answer(question: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await question
    except (*AWAY, *REDIS_AWAY, TimeoutError):
        return None
