"""What every worker does twice a second for runs that nobody is carrying out.

A run whose lease lapsed goes back to the queue, a crash counted; one that was rung for and not claimed is
rung again, 2, 4, 8 seconds apart; one that crashed three times, is past its deadline, or was to be
cancelled when its worker died, is ended here. `FOR UPDATE SKIP LOCKED` lets all workers sweep at once.
"""

import asyncio

import structlog
from psycopg.rows import class_row

from shared.channels import REDIS_AWAY
from shared.database import AWAY, Database
from shared.ending import end_log
from shared.event_log import EventLog
from shared.queue import Queue
from shared.runs import USAGE
from shared.shares import ANY_NUMBER, FORGOTTEN, bounds
from shared.tables import Run
from worker.metrics import WorkerMeter

logger = structlog.get_logger()

INTERVAL = 0.5
CRASHES = 3
LIMIT = 100

_END = f"""
UPDATE runs SET usage = {USAGE}, finished_at = clock_timestamp(), owner = NULL, lease_until = NULL,
    crashes = crashes + (status = 'running' AND cancel_requested_at IS NULL)::int,
    status = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'failed' END,
    error = CASE WHEN cancel_requested_at IS NOT NULL THEN NULL
                 WHEN deadline < clock_timestamp() THEN '{{"code": "deadline"}}'::jsonb
                 ELSE '{{"code": "stream.error"}}'::jsonb END
WHERE id IN (
    SELECT id FROM runs
    WHERE (status = 'running' AND lease_until < clock_timestamp()
           AND (cancel_requested_at IS NOT NULL OR crashes + 1 >= %(crashes)s OR deadline < clock_timestamp()))
       OR (status = 'queued' AND (deadline < clock_timestamp() OR cancel_requested_at IS NOT NULL))
    FOR UPDATE SKIP LOCKED LIMIT %(limit)s
) RETURNING *
"""

_TAKE_BACK = """
UPDATE runs SET status = 'queued', owner = NULL, lease_until = NULL, crashes = crashes + 1,
    rings = 0, rung_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM runs WHERE status = 'running' AND lease_until < clock_timestamp()
    FOR UPDATE SKIP LOCKED LIMIT %(limit)s
) RETURNING id
"""

_RING_AGAIN = f"""
UPDATE runs SET rings = rings + 1, rung_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM runs
    WHERE status = 'queued' AND (
        rung_at < clock_timestamp() - make_interval(secs => least(2 ^ (rings + 1), 8))
        OR id IN {FORGOTTEN})
    ORDER BY id FOR UPDATE SKIP LOCKED LIMIT %(limit)s
) RETURNING id
"""


class Sweeper:
    """Sweeps for ever, whatever is away; `sweep` is one round."""

    def __init__(
        self, database: Database, log: EventLog, queue: Queue, meter: WorkerMeter, *, at_once: int = ANY_NUMBER
    ) -> None:
        self._database, self._log, self._queue, self._meter, self._at_once = database, log, queue, meter, at_once

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.sweep()
            except (*AWAY, *REDIS_AWAY) as error:
                self._meter.away(error)
                logger.warning("cannot sweep", error=type(error).__name__)

    async def sweep(self) -> None:
        """One round: end what is over, take back what lapsed, ring for what waits."""
        for run in await self._ended():
            logger.warning("run ended by the sweeper", run=run.id, status=run.status, crashes=run.crashes)
            self._tell_of_end(run)
            await end_log(self._log, self._database, run)
        taken = await self._database.across_users.all(_TAKE_BACK, {"limit": LIMIT})
        self._meter.crashed(len(taken))
        for row in taken:
            logger.warning("run taken back", run=row["id"])
        # A ring that cannot be heard must not count, or the next one would wait all the longer.
        await self._queue.ping()
        waiting = await self._database.across_users.all(_RING_AGAIN, {"limit": LIMIT, **bounds(self._at_once)})
        self._meter.rung_again(len(waiting))
        for row in (*taken, *waiting):
            await self._queue.enqueue(row["id"])

    def _tell_of_end(self, run: Run) -> None:
        assert run.finished_at is not None
        self._meter.run_ended(run.kind, run.status, (run.finished_at - run.created_at).total_seconds(), by="sweeper")
        self._meter.crashed(int(run.crashes >= CRASHES))

    async def _ended(self) -> list[Run]:
        async with self._database.across_users.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Run))
            await cursor.execute(_END, {"crashes": CRASHES, "limit": LIMIT})
            return await cursor.fetchall()
