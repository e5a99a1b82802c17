"""A store in memory, as every ChatKit sample begins with one: each user sees their own."""

from collections import defaultdict
from typing import Any

from chatkit.store import NotFoundError, Store
from chatkit.types import Attachment, Page, ThreadItem, ThreadMetadata

Context = dict[str, Any]


class MemoryStore(Store[Context]):
    """Threads, items and attachments by user."""

    def __init__(self) -> None:
        self._threads: dict[str, dict[str, ThreadMetadata]] = defaultdict(dict)
        self._items: dict[tuple[str, str], dict[str, ThreadItem]] = defaultdict(dict)
        self._attachments: dict[str, dict[str, Attachment]] = defaultdict(dict)

    async def load_thread(self, thread_id: str, context: Context) -> ThreadMetadata:
        return _found(self._threads[context["user_id"]], thread_id).model_copy(deep=True)

    async def save_thread(self, thread: ThreadMetadata, context: Context) -> None:
        metadata = ThreadMetadata(**thread.model_dump(exclude={"items"}))
        self._threads[context["user_id"]][thread.id] = metadata

    async def load_threads(self, limit: int, after: str | None, order: str, context: Context) -> Page[ThreadMetadata]:
        return _page(list(self._threads[context["user_id"]].values()), limit, after, order)

    async def load_thread_items(
        self, thread_id: str, after: str | None, limit: int, order: str, context: Context
    ) -> Page[ThreadItem]:
        _found(self._threads[context["user_id"]], thread_id)
        return _page(list(self._of(thread_id, context).values()), limit, after, order)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self._of(thread_id, context)[item.id] = item.model_copy(deep=True)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Context) -> None:
        self._of(thread_id, context)[item.id] = item.model_copy(deep=True)

    async def load_item(self, thread_id: str, item_id: str, context: Context) -> ThreadItem:
        return _found(self._of(thread_id, context), item_id).model_copy(deep=True)

    async def delete_thread(self, thread_id: str, context: Context) -> None:
        del self._threads[context["user_id"]][thread_id]
        self._of(thread_id, context).clear()

    async def delete_thread_item(self, thread_id: str, item_id: str, context: Context) -> None:
        self._of(thread_id, context).pop(item_id, None)

    async def save_attachment(self, attachment: Attachment, context: Context) -> None:
        self._attachments[context["user_id"]][attachment.id] = attachment

    async def load_attachment(self, attachment_id: str, context: Context) -> Attachment:
        return _found(self._attachments[context["user_id"]], attachment_id)

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        self._attachments[context["user_id"]].pop(attachment_id, None)

    def _of(self, thread_id: str, context: Context) -> dict[str, ThreadItem]:
        return self._items[context["user_id"], thread_id]


def _found(kept: dict[str, Any], name: str) -> Any:
    if name not in kept:
        raise NotFoundError
    return kept[name]


def _page(values: list[Any], limit: int, after: str | None, order: str) -> Page[Any]:
    if order == "desc":
        values = values[::-1]
    if after is not None:
        places = [place for place, value in enumerate(values) if value.id == after]
        if not places:
            raise NotFoundError
        values = values[places[0] + 1 :]
    data = [value.model_copy(deep=True) for value in values[:limit]]
    has_more = len(values) > limit
    return Page(data=data, has_more=has_more, after=data[-1].id if has_more else None)
