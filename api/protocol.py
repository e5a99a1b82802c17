"""The ChatKit requests that only touch data: answered at once, from rows to JSON.

Items are passed on as they were stored, so that a type this version does not know goes through unharmed;
hidden context never leaves.
"""

from typing import Any

from chatkit.types import (
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    ItemsListReq,
    NonStreamingReq,
    ThreadsDeleteReq,
    ThreadsGetByIdReq,
    ThreadsListReq,
    ThreadsUpdateReq,
)

from api.cancel import Cancel
from api.uploads import Attachments
from shared import messages
from shared.conversations import Conversations
from shared.database import Database, Row
from shared.errors import Invalid, UnknownType
from shared.runs import Runs

DEFAULT_PAGE = 20
MAX_PAGE = 100
MAX_TITLE = 500

Json = dict[str, Any]


class Protocol:
    """Answers the non-streaming requests of one user at a time. Raises NotFound."""

    def __init__(
        self, database: Database, conversations: Conversations, cancel: Cancel, attachments: Attachments
    ) -> None:
        self._database, self._conversations, self._cancel = database, conversations, cancel
        self._attachments, self._runs = attachments, Runs(database)

    async def answer(self, user_id: str, request: NonStreamingReq) -> Json:
        """The reply's JSON."""
        match request:
            case ThreadsGetByIdReq(params=params):
                row = await self._conversations.get(user_id, params.thread_id)
                return thread_json(row, await self._items(user_id, params.thread_id, DEFAULT_PAGE, None, "asc"))
            case ThreadsListReq(params=params):
                rows, has_more = await self._conversations.page(
                    user_id, limit=clamped(params.limit), after=params.after, order=params.order
                )
                return page_json([thread_json(row) for row in rows], has_more)
            case ItemsListReq(params=params):
                await self._conversations.get(user_id, params.thread_id)
                return await self._items(user_id, params.thread_id, clamped(params.limit), params.after, params.order)
            case ThreadsUpdateReq(params=params):
                if len(params.title) > MAX_TITLE:
                    raise Invalid(f"A title has at most {MAX_TITLE} characters.")
                return thread_json(await self._conversations.rename(user_id, params.thread_id, params.title))
            case ThreadsDeleteReq(params=params):
                await self.delete(user_id, params.thread_id)
                return {}
            case AttachmentsCreateReq() | AttachmentsDeleteReq():
                return await self._attachment(user_id, request)
            case _:
                raise UnknownType

    async def _attachment(self, user_id: str, request: AttachmentsCreateReq | AttachmentsDeleteReq) -> Json:
        if isinstance(request, AttachmentsCreateReq):
            return await self._attachments.create(user_id, request.params)
        await self._attachments.delete(user_id, request.params.attachment_id)
        return {}

    async def delete(self, user_id: str, conversation_id: str) -> None:
        """Delete a conversation, its active run cancelled first."""
        if run_id := await self._runs.active(user_id, conversation_id):
            await self._cancel(user_id, run_id)
        attached = await self._attachments.of_conversation(user_id, conversation_id)
        await self._conversations.delete(user_id, conversation_id)
        await self._attachments.forget(attached)

    async def _items(self, user_id: str, thread_id: str, limit: int, after: str | None, order: str) -> Json:
        async with self._database.of(user_id).connection() as connection:
            page = await messages.page(connection, user_id, thread_id, limit=limit, after=after, order=order)
        items = [self._attachments.renewed(messages.visible(row["item"])) for row in page.rows]
        return page_json(items, page.has_more, page.after)


def clamped(limit: int | None) -> int:
    """A page's size: at least one, at most a hundred, twenty unless asked."""
    return min(max(limit, 1), MAX_PAGE) if limit is not None else DEFAULT_PAGE


def page_json(data: list[Json], has_more: bool, after: str | None = None) -> Json:
    """A page as the protocol has it; without more there is no `after`."""
    after = after or (data[-1]["id"] if data and has_more else None)
    return {"data": data, "has_more": has_more, **({"after": after} if after else {})}


def thread_json(row: Row, items: Json | None = None) -> Json:
    """A conversation as a ChatKit thread."""
    optional = {"title": row["title"], "allowed_image_domains": row["allowed_image_domains"]}
    return {
        "id": row["id"],
        "created_at": row["created_at"].isoformat(),
        "status": row["status"],
        "metadata": {},
        "items": items or page_json([], has_more=False),
        **{name: value for name, value in optional.items() if value is not None},
    }
