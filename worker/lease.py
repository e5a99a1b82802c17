"""One renewal a second for all runs of this worker, and the news it brings: a run that is lost, a Stop."""

import asyncio

import structlog

from shared.database import AWAY, Database
from shared.runs import LEASE_SECONDS
from worker.slots import Slots
from worker.stop import StopReason

logger = structlog.get_logger()

INTERVAL = 1.0

_RENEW = """
UPDATE runs r SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM unnest(%(ids)s::text[], %(attempts)s::int[]) AS held(id, attempt)
WHERE r.id = held.id AND r.attempt = held.attempt AND r.status = 'running'
RETURNING r.id, r.cancel_requested_at IS NOT NULL AS cancelled
"""


async def renew_for_ever(database: Database, slots: Slots) -> None:
    """Renew once a second; a run whose row does not come back is another's by now."""
    while True:
        await asyncio.sleep(INTERVAL)
        if attempts := slots.attempts:
            try:
                await renew(database, slots, {attempt.run.id: attempt.run.attempt for attempt in attempts})
            except AWAY as error:
                logger.warning("leases cannot be renewed", runs=len(attempts), error=type(error).__name__)


async def renew(database: Database, slots: Slots, held: dict[str, int]) -> None:
    """One renewal of these runs' leases (run id to attempt)."""
    parameters = {"lease": LEASE_SECONDS, "ids": list(held), "attempts": list(held.values())}
    rows = {row["id"]: row["cancelled"] for row in await database.all(_RENEW, parameters)}
    for run_id in held:
        if run_id not in rows:
            slots.stop(run_id, StopReason.LEASE_LOST)
        elif rows[run_id]:
            slots.stop(run_id, StopReason.USER)
