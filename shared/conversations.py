"""Conversations: ChatKit's threads as rows, each found only by its owner."""

from typing import Any

from psycopg import AsyncCursor, errors, sql
from psycopg.types.json import Jsonb

from shared.database import Connection, Database, Row
from shared.errors import NotFound, StaleAttempt
from shared.messages import FENCE, Writer
from shared.wire import clean, clean_text

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


_SAVE_FIELDS = f"""
WITH fence AS ({FENCE})
INSERT INTO conversations (id, user_id, {{names}})
SELECT %(id)s, %(user_id)s, {{values}} FROM fence
ON CONFLICT (id) DO UPDATE SET {{sets}}, updated_at = clock_timestamp()
WHERE conversations.user_id = excluded.user_id
"""


_LOCK_RUNS = "SELECT id FROM runs WHERE conversation_id = %(id)s AND user_id = %(user_id)s ORDER BY id FOR UPDATE"
_DELETE = "DELETE FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s"


class Conversations:
    """A user's conversations. Every method raises NotFound for a foreign and for an unknown id alike."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str, conversation_id: str) -> Row:
        """The conversation's row."""
        query = "SELECT * FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s"
        return _found(await self._database.of(user_id).one(query, {"id": conversation_id, "user_id": user_id}))

    async def get_with_runs(self, user_id: str, conversation_id: str) -> Row:
        """The row with `active_run` and `last_run` (id, kind, status), null where there is none."""
        return _found(await self._database.of(user_id).one(_WITH_RUNS, {"id": conversation_id, "user_id": user_id}))

    async def page(
        self, user_id: str, *, limit: int, after: str | None = None, order: str = "desc", q: str | None = None
    ) -> tuple[list[Row], bool]:
        """(rows in order of their making, whether there are more); `q` is looked for in the titles."""
        if after is not None:
            await self.get(user_id, after)
        limit = max(limit, 1)
        descending = order == "desc"
        query = _LIST.format(comparison="<" if descending else ">", direction="DESC" if descending else "ASC")
        pattern = f"%{_literal(q)}%" if q else None
        parameters = {"user_id": user_id, "after": after, "q": pattern, "limit": limit + 1}
        rows = await self._database.of(user_id).all(query, parameters)
        return rows[:limit], len(rows) > limit

    async def rename(self, user_id: str, conversation_id: str, title: str) -> Row:
        """Give it another title; its row."""
        query = """
            UPDATE conversations SET title = %(title)s, updated_at = clock_timestamp()
            WHERE id = %(id)s AND user_id = %(user_id)s RETURNING *
        """
        return _found(
            await self._database.of(user_id).one(query, {"id": conversation_id, "user_id": user_id, "title": title})
        )

    async def delete(self, user_id: str, conversation_id: str) -> None:
        """Delete it with its messages, runs, journals, attachments' rows and feedback."""
        parameters = {"id": conversation_id, "user_id": user_id}
        async with self._database.of(user_id).transaction() as connection:
            # Runs first, as a worker's write locks them: the other way round the two could wait for one another.
            await connection.execute(_LOCK_RUNS, parameters)
            if not (await connection.execute(_DELETE, parameters)).rowcount:
                raise NotFound


async def insert(connection: Connection, user_id: str, conversation_id: str) -> None:
    """A new conversation, inside the caller's transaction."""
    query = "INSERT INTO conversations (id, user_id) VALUES (%(id)s, %(user_id)s)"
    await connection.execute(query, {"id": conversation_id, "user_id": user_id})


async def lock(connection: Connection, user_id: str, conversation_id: str) -> AsyncCursor[Row]:
    """The conversation's row, if there is one, held until the caller's transaction ends: two admissions take turns."""
    query = "SELECT * FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s FOR UPDATE"
    return await connection.execute(query, {"id": conversation_id, "user_id": user_id})


async def save_fields(connection: Connection, writer: Writer, conversation_id: str, fields: dict[str, Any]) -> None:
    """Write these fields and no others; a conversation that is not there yet is made. Raises StaleAttempt."""
    title = clean_text(fields["title"]) if fields.get("title") else None
    values = {"title": title, **{name: Jsonb(clean(fields[name])) for name in fields if name != "title"}}
    values = {name: value for name, value in values.items() if name in fields}
    sets = sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values)
    statement = sql.SQL(_SAVE_FIELDS).format(
        names=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(map(sql.Placeholder, values)),
        sets=sets,
    )
    keys = {"run_id": writer.run_id, "attempt": writer.attempt, "user_id": writer.user_id, "id": conversation_id}
    try:
        saved = (await connection.execute(statement, {**values, **keys})).rowcount
    except errors.InsufficientPrivilege:
        # The conversation that has this id is one that the writer may not even see.
        raise StaleAttempt(writer.run_id) from None
    if not saved:
        raise StaleAttempt(writer.run_id)


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound
    return row


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
