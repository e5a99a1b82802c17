"""How much is let in: an answer before anything is stored, and fair to those who ask for little."""

import math
import time

from psycopg import AsyncCursor

from shared.daily_tokens import RESETS_IN, SPENT
from shared.database import Connection, Database, Row
from shared.errors import BudgetSpent, TooMany, Unavailable

LOOK_SECONDS = 0.25
"""How old the known length of the queue may be; what this process admits meanwhile is counted on top."""
LOOK_SHARE = 8
"""What of the room that it saw a process fills before it looks again: several at once do not fill it several times."""

_WAITING = "SELECT count(*) AS waiting FROM (SELECT FROM runs WHERE status = 'queued' LIMIT %(limit)s) q"
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('active runs of ' || %(user_id)s, 0))"
"""Requests of one user take turns until they are stored: two that count at once would both find room."""
_ACTIVE = """
SELECT count(*) AS active FROM (
    SELECT FROM runs WHERE user_id = %(user_id)s AND status IN ('queued', 'running') LIMIT %(limit)s
) a
"""
_ACTIVE_AND_SPENT = f"SELECT a.active, {SPENT} AS spent, {RESETS_IN} AS resets_in FROM ({_ACTIVE}) a"


class Gate:
    """Lets a run in while the queue is shorter than `max_queued` and its user has fewer than `max_active` runs.

    With `max_tokens_per_day`, a user whose runs have taken so many today must wait for tomorrow; 0 is no bound.
    """

    def __init__(self, database: Database, *, max_queued: int, max_active: int, max_tokens_per_day: int = 0) -> None:
        self._database, self._max_queued, self._max_active = database, max_queued, max_active
        self._max_tokens, self._standing = max_tokens_per_day, _ACTIVE_AND_SPENT if max_tokens_per_day else _ACTIVE
        self._waiting, self._look_before, self._looked_at = 0, 0, float("-inf")

    async def check_queue(self) -> None:
        """Raises Unavailable, with a time to come back after, when too many are waiting already."""
        if time.monotonic() - self._looked_at > LOOK_SECONDS or self._waiting >= self._look_before:
            await self._look()
        if self._waiting >= self._max_queued:
            raise Unavailable("Too many answers are waiting already.", retry_after=5)
        self._waiting += 1

    async def _look(self) -> None:
        self._looked_at, self._look_before, before = time.monotonic(), self._max_queued + 1, self._waiting
        row = await self._database.across_users.one(_WAITING, {"limit": self._max_queued + 1})
        self._waiting = (row["waiting"] if row else 0) + max(self._waiting - before, 0)
        self._look_before = self._waiting + max((self._max_queued - self._waiting) // LOOK_SHARE, 1)

    async def ask_of_user(self, connection: Connection, user_id: str) -> AsyncCursor[Row]:
        """How this user stands before the caller's transaction adds to it: for `check_user`."""
        await connection.execute(_TURN, {"user_id": user_id})
        return await connection.execute(self._standing, {"user_id": user_id, "limit": self._max_active})

    def check_user(self, row: Row | None, *, spends: bool = True) -> None:
        """Raises TooMany when this user has as many answers in progress as one may have.

        What `spends` tokens is refused with BudgetSpent when today's are used up.
        """
        if row is not None and row["active"] >= self._max_active:
            # Counted as waiting on the way in: else somebody who is refused often would shut the gate for all.
            self._waiting -= 1
            raise TooMany("Too many of your answers are in progress.", retry_after=2)
        if row is not None and self._max_tokens and spends and row["spent"] >= self._max_tokens:
            self._waiting -= 1
            raise BudgetSpent(retry_after=math.ceil(row["resets_in"]))
