"""The SDK's store over our tables: what a `ChatKitServer` loads and saves while it carries out a run.

Every statement is scoped to the run's owner, every write to the run's attempt; the run is found through the
current task, because the request context may be anything of the team's own.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
from chatkit.store import NotFoundError, Store, StoreItemType
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter, ValidationError

from shared import attachments, messages
from shared.conversations import Conversations, save_fields
from shared.database import Connection, Database, Row
from shared.errors import NotFound
from shared.ids import new_id
from shared.wire import to_stored
from worker.current_run import CurrentRun, StoreClosed, current_run
from worker.recovery import timeless

logger = structlog.get_logger()

_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)
_PREFIXES: dict[StoreItemType, str] = {
    "thread": "thr",
    "message": "msg",
    "tool_call": "tc",
    "workflow": "wf",
    "task": "tsk",
    "attachment": "atc",
    "sdk_hidden_context": "shcx",
}
_SAVED_FIELDS = {"title", "status", "metadata", "allowed_image_domains"}


class ConversationStore(Store[Any]):
    """One for a whole worker: each call is answered for the run of the task that makes it.

    Raises the SDK's NotFoundError for what is not there or not the user's.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._conversations = database, Conversations(database)

    def generate_thread_id(self, context: Any) -> str:
        return new_id(_PREFIXES["thread"])

    def generate_item_id(self, item_type: StoreItemType, thread: ThreadMetadata, context: Any) -> str:
        return current_run().mint(_PREFIXES[item_type])

    async def load_thread(self, thread_id: str, context: Any) -> ThreadMetadata:
        with _ours() as current:
            row = current.rows.pop((thread_id, None), None)
            thread = _thread(row or await self._conversations.get(current.run.user_id, thread_id))
        current.threads[thread.id] = thread.model_copy(deep=True)
        return thread

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        """Write the fields that differ from what was loaded, so that a rename meanwhile is not undone."""
        loaded = current_run().threads.get(thread.id)
        before = loaded.model_dump(mode="json", include=_SAVED_FIELDS) if loaded else {}
        now = thread.model_dump(mode="json", include=_SAVED_FIELDS)
        changed = {name: value for name, value in now.items() if loaded is None or before[name] != value}
        if not changed:
            return
        async with self._using(write=True) as (current, connection):
            await save_fields(connection, current.writer, thread.id, changed)
        current.threads[thread.id] = thread.model_copy(deep=True)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Any
    ) -> Page[ThreadItem]:
        async with self._using() as (current, connection):
            page = await messages.page(
                connection,
                current.run.user_id,
                thread_id,
                limit=limit,
                after=after,
                order=order,
                hidden=True,
                reader=current.writer,
            )
        return Page(data=known(page.rows), has_more=page.has_more, after=page.after)

    async def load_threads(self, limit: int, after: str | None, order: str, context: Any) -> Page[ThreadMetadata]:
        with _ours() as current:
            user_id = current.run.user_id
            rows, has_more = await self._conversations.page(user_id, limit=limit, after=after, order=order)
        threads = [_thread(row) for row in rows]
        return Page(data=threads, has_more=has_more, after=threads[-1].id if threads and has_more else None)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self._save(thread_id, item)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        await self._save(thread_id, item)

    async def load_item(self, thread_id: str, item_id: str, context: Any) -> ThreadItem:
        row = current_run().rows.pop((thread_id, item_id), None)
        if row is None:
            async with self._using() as (current, connection):
                row = await messages.one(connection, current.run.user_id, thread_id, item_id)
        if not (items := known([row])):
            raise NotFoundError
        return items[0]

    async def delete_thread(self, thread_id: str, context: Any) -> None:
        with _ours(write=True) as current:
            await self._conversations.delete(current.run.user_id, thread_id)

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Any) -> None:
        async with self._using(write=True) as (current, connection):
            await messages.delete(connection, current.writer, thread_id, item_id)

    async def save_attachment(self, attachment: Attachment, context: Any) -> None:
        async with self._using(write=True) as (current, connection):
            await attachments.save(connection, current.run.user_id, attachment)

    async def load_attachment(self, attachment_id: str, context: Any) -> Attachment:
        async with self._using() as (current, connection):
            row = await attachments.one(connection, current.run.user_id, attachment_id)
        return _ATTACHMENT.validate_python(row["attachment"])

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        async with self._using(write=True) as (current, connection):
            await attachments.delete(connection, current.run.user_id, attachment_id)

    async def _save(self, thread_id: str, item: ThreadItem) -> None:
        async with self._using(write=True) as (current, connection):
            calls = current.take_tool_calls() if item.type == "assistant_message" else None
            await messages.save(connection, current.writer, thread_id, _as_shown(current, item), tool_calls=calls)

    @asynccontextmanager
    async def _using(self, *, write: bool = False) -> AsyncIterator[tuple[CurrentRun, Connection]]:
        with _ours(write=write) as current:
            async with self._database.of(current.run.user_id).connection() as connection:
                yield current, connection


@contextmanager
def _ours(*, write: bool = False) -> Iterator[CurrentRun]:
    """The current run; a failure of ours in the body is kept there."""
    current = current_run()
    if write and not current.open:
        raise StoreClosed(current.run.id)
    try:
        with current.failures_kept():
            yield current
    except NotFound:
        raise NotFoundError from None


def _as_shown(current: CurrentRun, item: ThreadItem) -> bytes:
    """The item; as an earlier attempt has shown it if it says the same, for that is what readers keep."""
    stored, shown = to_stored(item), current.settled.get(item.id)
    if shown is not None and timeless(shown) == timeless(json.loads(stored)):
        return json.dumps(shown).encode()
    return stored


def known(rows: list[Row]) -> list[ThreadItem]:
    """The rows as thread items; one of a type that this version of ChatKit does not know stays in its row, unread."""
    items = []
    for row in rows:
        try:
            items.append(_ITEM.validate_python(row["item"]))
        except ValidationError:
            logger.warning("item cannot be read", item=row["id"], type=row["type"])
    return items


def _thread(row: Row) -> ThreadMetadata:
    return ThreadMetadata(
        id=row["id"],
        title=row["title"],
        created_at=row["created_at"],
        status=row["status"],
        allowed_image_domains=row["allowed_image_domains"],
        metadata=row["metadata"],
    )
