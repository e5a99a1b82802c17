"""The baseline's store: one statement a call, into the same tables with the same rows as ours."""

from typing import Any

from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool
from pydantic import TypeAdapter

from shared.ids import new_id

_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_PREFIXES = {"thread": "thr", "message": "msg"}

_SAVE_THREAD = """
INSERT INTO conversations (id, user_id, title, status, metadata)
VALUES (%(id)s, %(user_id)s, %(title)s, %(status)s, %(metadata)s)
ON CONFLICT (id) DO UPDATE SET title = excluded.title, status = excluded.status, metadata = excluded.metadata,
    updated_at = clock_timestamp()
WHERE conversations.user_id = excluded.user_id
"""

_SAVE_ITEM = """
WITH place AS (
    UPDATE conversations SET next_position = next_position + 1, updated_at = clock_timestamp()
    WHERE id = %(thread_id)s AND user_id = %(user_id)s RETURNING next_position - 1 AS position
)
INSERT INTO messages (conversation_id, id, position, type, role, content, item)
SELECT %(thread_id)s, %(id)s, place.position, %(type)s, %(role)s, %(content)s, %(item)s FROM place
ON CONFLICT (conversation_id, id) DO UPDATE SET item = excluded.item, content = excluded.content
"""

_LOAD_ITEMS = """
SELECT m.item FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = %(thread_id)s AND c.user_id = %(user_id)s ORDER BY m.position {direction} LIMIT %(limit)s
"""


class PostgresStore(Store[str]):
    """The request context is the user's id. What the benchmark never asks for is not there."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    def generate_thread_id(self, context: str) -> str:
        return new_id("thr")

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: str) -> str:
        return new_id(_PREFIXES.get(item_type, item_type))

    async def load_thread(self, thread_id: str, context: str) -> ThreadMetadata:
        query = "SELECT * FROM conversations WHERE id = %(id)s AND user_id = %(user_id)s"
        rows = await self._all(query, {"id": thread_id, "user_id": context})
        if not rows:
            raise NotFoundError
        row = rows[0]
        names = ("id", "title", "created_at", "status", "metadata")
        return ThreadMetadata(**{name: row[name] for name in names})

    async def save_thread(self, thread: ThreadMetadata, context: str) -> None:
        fields = thread.model_dump(mode="json", include={"status", "metadata"})
        wrapped = {name: Jsonb(value) for name, value in fields.items()}
        await self._run(_SAVE_THREAD, {"id": thread.id, "user_id": context, "title": thread.title, **wrapped})

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: str
    ) -> Page[ThreadItem]:
        query = _LOAD_ITEMS.format(direction="DESC" if order == "desc" else "ASC")
        rows = await self._all(query, {"thread_id": thread_id, "user_id": context, "limit": limit + 1})
        items = [_ITEM.validate_python(row["item"]) for row in rows[:limit]]
        return Page(data=items, has_more=len(rows) > limit)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: str) -> None:
        await self.save_item(thread_id, item, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: str) -> None:
        plain = item.model_dump(mode="json", exclude_none=True)
        text = "".join(part.get("text", "") for part in plain.get("content", []))
        role = "user" if item.type == "user_message" else "assistant"
        row = {"id": item.id, "type": item.type, "role": role, "content": text, "item": Jsonb(plain)}
        await self._run(_SAVE_ITEM, {"thread_id": thread_id, "user_id": context, **row})

    async def load_item(self, thread_id: str, item_id: str, context: str) -> ThreadItem:
        raise NotImplementedError

    async def load_threads(self, limit: int, after: str | None, order: str, context: str) -> Page[ThreadMetadata]:
        raise NotImplementedError

    async def delete_thread(self, thread_id: str, context: str) -> None:
        raise NotImplementedError

    async def delete_thread_item(self, thread_id: str, item_id: str, context: str) -> None:
        raise NotImplementedError

    async def save_attachment(self, attachment: Attachment, context: str) -> None:
        raise NotImplementedError

    async def load_attachment(self, attachment_id: str, context: str) -> Attachment:
        raise NotImplementedError

    async def delete_attachment(self, attachment_id: str, context: str) -> None:
        raise NotImplementedError

    async def _all(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        async with self._pool.connection() as connection:
            cursor = await connection.cursor(row_factory=dict_row).execute(query, parameters)
            rows: list[dict[str, Any]] = await cursor.fetchall()
            return rows

    async def _run(self, query: str, parameters: dict[str, Any]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(query, parameters)
