"""How runs stand, for those who wait for them: their place in the queue, or for how long nobody has come."""

from dataclasses import dataclass

from shared.database import Database, Row
from shared.runs import RunStatus


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands, for those who wait: its place in the queue, or how long nobody has carried it out."""

    status: RunStatus
    attempt: int
    queue_position: int | None
    waiting_seconds: float
    unowned_seconds: float
    error: str | None = None
    """The code of a failed run's error."""


_STANDINGS = """
SELECT r.id, r.status, r.attempt, r.error->>'code' AS error,
    CASE WHEN r.status = 'queued' THEN (SELECT count(*) FROM runs q WHERE q.status = 'queued' AND q.id < r.id) + 1 END
        AS queue_position,
    extract(epoch FROM clock_timestamp() - r.created_at)::float AS waiting_seconds,
    CASE WHEN r.status = 'running' THEN extract(epoch FROM clock_timestamp() - r.lease_until)::float
         -- One that was not rung for waits for its user's own runs, and is nobody's neglect.
         WHEN r.status = 'queued' THEN extract(epoch FROM clock_timestamp() - r.rung_at)::float
         END AS unowned_seconds
FROM runs r WHERE r.id = ANY(%(ids)s)
"""


class Standings:
    """How any user's runs stand, by their ids alone: what is told of them is for their owner, whom the caller knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, run_ids: list[str]) -> dict[str, Standing]:
        """How each of these runs stands; one that is gone is absent."""
        rows = await self._database.across_users.all(_STANDINGS, {"ids": run_ids})
        return {row["id"]: _standing(row) for row in rows}


def _standing(row: Row) -> Standing:
    return Standing(
        RunStatus(row["status"]),
        row["attempt"],
        row["queue_position"],
        row["waiting_seconds"],
        max(row["unowned_seconds"] or 0.0, 0.0),
        row["error"],
    )
