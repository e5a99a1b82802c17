"""Forgets what is old enough: conversations that nobody has touched for so long, journals and keys that are of no use.

A journal is for the recovery of its run, and a key for a message that is sent again within a day; a conversation is
kept for ever unless the deployment says otherwise. Several workers may do it at once.
"""

import asyncio

import structlog

from shared.database import AWAY, Database

logger = structlog.get_logger()

ROUND_SECONDS = 600.0
AT_ONCE = 500
"""Rows of a kind in one statement: no lock is held for long."""

_OLD = {
    "conversations": """
        DELETE FROM conversations WHERE id IN (
            SELECT c.id FROM conversations c
            WHERE c.updated_at < clock_timestamp() - make_interval(days => %(days)s)
              AND NOT EXISTS (SELECT FROM runs r WHERE r.conversation_id = c.id AND r.status IN ('queued', 'running'))
            LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    """,
    # Calls, which belong to no conversation.
    "calls": """
        DELETE FROM runs WHERE id IN (
            SELECT id FROM runs
            WHERE conversation_id IS NULL AND finished_at < clock_timestamp() - make_interval(days => %(days)s)
            LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
    """,
}
_OF_NO_USE = {
    "model responses": """
        DELETE FROM run_steps WHERE (run_id, path, n) IN (
            SELECT s.run_id, s.path, s.n FROM run_steps s JOIN runs r ON r.id = s.run_id
            WHERE r.finished_at < clock_timestamp() - make_interval(days => %(journal_days)s) LIMIT %(limit)s)
    """,
    "tool calls": """
        DELETE FROM tool_calls WHERE (run_id, path, n, index) IN (
            SELECT t.run_id, t.path, t.n, t.index FROM tool_calls t JOIN runs r ON r.id = t.run_id
            WHERE r.finished_at < clock_timestamp() - make_interval(days => %(journal_days)s) LIMIT %(limit)s)
    """,
    "idempotency keys": """
        DELETE FROM idempotency_keys WHERE (user_id, key) IN (
            SELECT user_id, key FROM idempotency_keys
            WHERE created_at < clock_timestamp() - interval '24 hours' LIMIT %(limit)s)
    """,
    "daily tokens": """
        DELETE FROM daily_tokens WHERE (user_id, day) IN (
            SELECT user_id, day FROM daily_tokens
            WHERE day < (clock_timestamp() AT TIME ZONE 'UTC')::date - 7 LIMIT %(limit)s)
    """,
}


class Retention:
    """Forgets for ever; `forget` is one round. `days` is for conversations, None keeps them."""

    def __init__(self, database: Database, *, days: int | None, journal_days: int) -> None:
        self._database, self._days, self._journal_days = database, days, journal_days

    async def run(self) -> None:
        """Forget until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.forget()
            except AWAY as error:
                logger.warning("cannot forget", error=type(error).__name__)

    async def forget(self) -> dict[str, int]:
        """One round, to the end of what is old; how many rows of each kind went."""
        statements = {**(_OLD if self._days is not None else {}), **_OF_NO_USE}
        gone = {kind: await self._all_of(statement) for kind, statement in statements.items()}
        if any(gone.values()):
            logger.info("forgotten", **{kind.replace(" ", "_"): count for kind, count in gone.items()})
        return gone

    async def _all_of(self, statement: str) -> int:
        parameters = {"days": self._days, "journal_days": self._journal_days, "limit": AT_ONCE}
        total = 0
        while went := await self._database.across_users.run(statement, parameters):
            total += went
        return total
