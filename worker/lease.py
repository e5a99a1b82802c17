"""One renewal a second for all runs of this worker, and the news it brings: a run that is lost, a Stop.

A lease is good for 4 s by the database's clock. Here it counts from *before* the last good renewal was sent,
by the monotonic clock, so this worker stands down earlier than anyone may take over: a renewal that cannot
be had in time stops the attempts, whatever the reason. A loop that stands still cannot do even that; then a
thread ends the process, whose runs are lost to it by then anyway.
"""

import asyncio
import os
import sys
import threading
import time

import structlog

from shared.database import AWAY, Database
from shared.runs import LEASE_SECONDS
from worker.slots import Slots
from worker.stop import StopReason

logger = structlog.get_logger()

INTERVAL = 1.0
MARGIN = 0.5
"""Seconds before the lease's end at which an attempt stops writing: what is on its way needs time to land."""
STALLED_EXIT_CODE = 75

_RENEW = """
UPDATE runs r SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM unnest(%(ids)s::text[], %(attempts)s::int[]) AS held(id, attempt)
WHERE r.id = held.id AND r.attempt = held.attempt AND r.status = 'running'
RETURNING r.id, r.cancel_requested_at IS NOT NULL AS cancelled
"""


def good_until(asked_at: float) -> float:
    """When a lease that was asked for at this monotonic time must be taken for lapsed."""
    return asked_at + LEASE_SECONDS - MARGIN


class Leases:
    """Keeps the leases of a worker's runs."""

    def __init__(self, database: Database, slots: Slots) -> None:
        self._database, self._slots = database, slots
        self._alive_at = time.monotonic()
        self._asked_at: float | None = None
        self._failed = False

    async def keep(self) -> None:
        """Renew once a second, and stop what could not be renewed in time."""
        renewing: asyncio.Task[None] | None = None
        while True:
            await asyncio.sleep(INTERVAL / 4)
            self._alive_at = time.monotonic()
            self.stand_down()
            if (self._slots.attempts or not self.healthy) and (renewing is None or renewing.done()):
                renewing = asyncio.create_task(self._renew_and_rest())

    def stand_down(self) -> None:
        """Stop every attempt whose lease may have lapsed."""
        for attempt in self._slots.attempts:
            if time.monotonic() > attempt.lease_until:
                attempt.stop(StopReason.LEASE_LOST)

    async def renew(self) -> None:
        """One renewal of all leases. Raises what Postgres raises."""
        asked_at = time.monotonic()
        attempts = {attempt.run.id: attempt for attempt in self._slots.attempts}
        numbers = [attempt.run.attempt for attempt in attempts.values()]
        parameters = {"lease": LEASE_SECONDS, "ids": list(attempts), "attempts": numbers}
        rows = {row["id"]: row["cancelled"] for row in await self._database.across_users.all(_RENEW, parameters)}
        for run_id, attempt in attempts.items():
            if run_id not in rows:
                attempt.stop(StopReason.LEASE_LOST)
                continue
            attempt.lease_until = good_until(asked_at)
            if rows[run_id]:
                attempt.stop(StopReason.USER)

    @property
    def healthy(self) -> bool:
        """Whether Postgres answers. A worker that is cut off from it must not take rings it cannot claim for."""
        waited = 0.0 if self._asked_at is None else time.monotonic() - self._asked_at
        return not self._failed and waited < INTERVAL

    async def _renew_and_rest(self) -> None:
        self._asked_at = time.monotonic()
        try:
            async with asyncio.timeout(LEASE_SECONDS):
                await self.renew()
            self._failed = False
        except (*AWAY, TimeoutError) as error:
            self._failed = True
            logger.warning("leases cannot be renewed", error=type(error).__name__)
        finally:
            self._asked_at = None
        await asyncio.sleep(INTERVAL / 2)

    def watch(self) -> None:
        """Start the thread that ends this process when its loop stands still with runs in work."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(INTERVAL / 2)
            stalled = time.monotonic() - self._alive_at
            if stalled > LEASE_SECONDS and self._slots.attempts:
                print(
                    f'{{"event": "loop stalled, process ended", "seconds": {stalled:.1f}}}', file=sys.stderr, flush=True
                )
                os._exit(STALLED_EXIT_CODE)
