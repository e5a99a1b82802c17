"""Conversations: ChatKit's threads as rows, each found only by its owner."""

from typing import Any

from psycopg.types.json import Jsonb

from shared.database import Connection, Database, Row
from shared.errors import NotFound
from shared.messages import MAX_PAGE

_LIST = """
SELECT * FROM conversations
WHERE user_id = %(user_id)s AND (%(after)s::text IS NULL OR id {comparison} %(after)s)
  AND (%(q)s::text IS NULL OR title ILIKE %(q)s)
ORDER BY id {direction} LIMIT %(limit)s
"""

_WITH_RUNS = """
SELECT c.*,
  (SELECT to_jsonb(r) FROM (
     SELECT id, kind, status FROM runs
     WHERE conversation_id = c.id AND status IN ('queued', 'running') AND kind <> 'call' LIMIT 1) r) AS active_run,
  (SELECT to_jsonb(r) FROM (
     SELECT id, kind, status, error FROM runs
     WHERE conversation_id = c.id AND kind <> 'call' ORDER BY id DESC LIMIT 1) r) AS last_run
FROM conversations c WHERE c.id = %(id)s AND c.user_id = %(user_id)s
"""


class Conversations:
    """A user's conversations. Every method raises NotFound for a foreign and for an unknown id alike."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str, conversation_id: str) -> Row:
        """The conversation's row."""
        sql = "SELECT * FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s"
        return _found(await self._database.one(sql, {"id": conversation_id, "user_id": user_id}))

    async def get_with_runs(self, user_id: str, conversation_id: str) -> Row:
        """The row with `active_run` and `last_run` (id, kind, status), null where there is none."""
        return _found(await self._database.one(_WITH_RUNS, {"id": conversation_id, "user_id": user_id}))

    async def page(
        self, user_id: str, *, limit: int, after: str | None = None, order: str = "desc", q: str | None = None
    ) -> tuple[list[Row], bool]:
        """(rows in order of their making, whether there are more); `q` is looked for in the titles."""
        if after is not None:
            await self.get(user_id, after)
        limit = min(max(limit, 1), MAX_PAGE)
        descending = order == "desc"
        sql = _LIST.format(comparison="<" if descending else ">", direction="DESC" if descending else "ASC")
        pattern = f"%{_literal(q)}%" if q else None
        parameters = {"user_id": user_id, "after": after, "q": pattern, "limit": limit + 1}
        rows = await self._database.all(sql, parameters)
        return rows[:limit], len(rows) > limit

    async def rename(self, user_id: str, conversation_id: str, title: str) -> Row:
        """Give it another title; its row."""
        sql = """
            UPDATE conversations SET title = %(title)s, updated_at = clock_timestamp()
            WHERE id = %(id)s AND user_id = %(user_id)s RETURNING *
        """
        return _found(await self._database.one(sql, {"id": conversation_id, "user_id": user_id, "title": title}))

    async def delete(self, user_id: str, conversation_id: str) -> None:
        """Delete it with its messages, runs, journals, attachments' rows and feedback."""
        sql = "DELETE FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s"
        if not await self._database.run(sql, {"id": conversation_id, "user_id": user_id}):
            raise NotFound


async def insert(connection: Connection, user_id: str, conversation_id: str, metadata: dict[str, Any]) -> Row:
    """A new conversation's row, inside the caller's transaction."""
    sql = """
        INSERT INTO conversations (id, user_id, metadata) VALUES (%(id)s, %(user_id)s, %(metadata)s) RETURNING *
    """
    cursor = await connection.execute(sql, {"id": conversation_id, "user_id": user_id, "metadata": Jsonb(metadata)})
    return _found(await cursor.fetchone())


async def lock(connection: Connection, user_id: str, conversation_id: str) -> Row:
    """The conversation's row, held until the caller's transaction ends: two admissions take turns."""
    sql = "SELECT * FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s FOR UPDATE"
    cursor = await connection.execute(sql, {"id": conversation_id, "user_id": user_id})
    return _found(await cursor.fetchone())


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound
    return row


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
