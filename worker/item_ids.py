"""Ids of our own for items that a model made.

Chat-completions models give every message the id `__fake_id__` (chatkit-python#36) and some providers repeat
ids; a thread item's id must be its own. Only such ids are replaced, so that a server that remembers a real
one still finds its item. The n-th replacement of a run is always the same: a recovery says the same ids again.
"""

from collections.abc import AsyncIterator

from agents.models.fake_id import FAKE_RESPONSES_ID
from chatkit.types import (
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from worker.current_run import CurrentRun


class ItemIds:
    """The ids of one run's items: give it the server's events in order."""

    def __init__(self, current: CurrentRun) -> None:
        self._current = current
        self._open: dict[str, str] = {}
        self._done: set[str] = set()

    async def own(self, events: AsyncIterator[ThreadStreamEvent]) -> AsyncIterator[ThreadStreamEvent]:
        """The same events, each item under an id that is its own; what a bound ends is ended in words of ours."""
        with self._current.bounds_in_words():
            async for event in events:
                yield self._mapped(event)

    def _mapped(self, event: ThreadStreamEvent) -> ThreadStreamEvent:
        match event:
            # First, because nearly every event is one: each text delta.
            case ThreadItemUpdatedEvent(item_id=item_id):
                own = self._open.get(item_id, item_id)
                return event if own == item_id else event.model_copy(update={"item_id": own})
            case ThreadItemAddedEvent(item=item):
                self._open[item.id] = self._fresh(item.id)
                return _with_id(event, item, self._open[item.id])
            case ThreadItemDoneEvent(item=item):
                own = self._open.pop(item.id, "") or self._fresh(item.id)
                self._done.add(own)
                return _with_id(event, item, own)
            case ThreadItemReplacedEvent(item=item):
                return _with_id(event, item, self._open.pop(item.id, item.id))
            case ThreadItemRemovedEvent(item_id=item_id):
                own = self._open.pop(item_id, item_id)
                return event if own == item_id else event.model_copy(update={"item_id": own})
            case _:
                return event

    def _fresh(self, item_id: str) -> str:
        good = item_id and item_id != FAKE_RESPONSES_ID
        if good and item_id not in self._done and item_id not in self._current.retracted:
            return item_id
        return self._current.mint("msg")


def _with_id(
    event: ThreadItemAddedEvent | ThreadItemDoneEvent | ThreadItemReplacedEvent, item: ThreadItem, own: str
) -> ThreadStreamEvent:
    """The event itself where its id is good: servers go on changing the item they have sent."""
    if item.id == own:
        return event
    return event.model_copy(update={"item": item.model_copy(update={"id": own})})
