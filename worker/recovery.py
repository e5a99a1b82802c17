"""How a later attempt begins: retract what was half-shown, and do not say again what was said whole.

What earlier attempts have shown stands in the log, which the writer has folded. With a journal the same
responses and results come again: items that were done are recognised by their ids and kept as they are, and
what has no item (effects, notices, the simple dialect's tool frames) is said once. Without a journal nothing
can be said again the same way: everything these attempts showed or stored is taken back first.
"""

import json
from collections import Counter
from typing import Any

from chatkit.types import (
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from shared import messages
from shared.database import Database
from shared.ending import retraction
from shared.wire import to_wire
from worker.current_run import CurrentRun
from worker.log_writer import LogWriter


class Repeats:
    """What earlier attempts have said whole, so that this one does not say it twice. Empty in a first attempt."""

    def __init__(self, settled: dict[str, dict[str, Any]] | None = None, loose: Counter[bytes] | None = None) -> None:
        self._settled, self._loose = {} if settled is None else settled, loose or Counter()

    def has(self, event: ThreadStreamEvent) -> bool:
        """Whether a reader has this event already."""
        match event:
            case ThreadItemUpdatedEvent(item_id=item_id):
                return item_id in self._settled
            case ThreadItemAddedEvent(item=item):
                return item.id in self._settled
            case ThreadItemDoneEvent(item=item):
                before = self._settled.pop(item.id, None)
                return before is not None and timeless(before) == timeless(json.loads(to_wire(item)))
            case ThreadItemReplacedEvent(item=item):
                self._settled.pop(item.id, None)
                return False
            case ThreadItemRemovedEvent(item_id=item_id):
                self._settled.pop(item_id, None)
                return False
            case _:
                return self.has_loose(to_wire(event))

    def has_loose(self, data: bytes) -> bool:
        """Whether these bytes, an event or a frame without an item, were said as often as they come now."""
        if not self._loose[data]:
            return False
        self._loose[data] -= 1
        return True


async def recover(database: Database, current: CurrentRun, writer: LogWriter) -> Repeats:
    """Retract what cannot stand, and say what can. Raises StaleAttempt, and what Postgres raises."""
    run, fold = current.run, writer.fold
    own = database.of(run.user_id)
    everything = current.journal.empty
    async with own.connection() as connection:
        shown = await messages.some(connection, run.user_id, run.conversation_id or "", fold.ids())
    others = {row["id"] for row in shown if row["run_id"] != run.id or row["attempt"] == 0}
    mine = [item_id for item_id in fold.ids() if item_id not in others]
    doubtful = [item_id for item_id in mine if everything or fold.is_open(item_id)]
    async with own.connection() as connection:
        stored = await messages.delete_earlier(connection, current.writer, None if everything else doubtful)
    for item_id in {**dict.fromkeys(doubtful), **dict.fromkeys(stored)}:
        current.retracted.add(item_id)
        writer.append(retraction(fold, item_id))
    current.settled = {item_id: fold.item(item_id) for item_id in mine if item_id not in current.retracted}
    return Repeats(current.settled, fold.loose)


async def forget_leftovers(database: Database, current: CurrentRun, writer: LogWriter) -> None:
    """Take back what earlier attempts left and this one, now complete, has not said again."""
    async with database.of(current.run.user_id).connection() as connection:
        for item_id in await messages.delete_earlier(connection, current.writer, None):
            if writer.fold.shows(item_id):
                writer.append(retraction(writer.fold, item_id))


def timeless(item: dict[str, Any]) -> dict[str, Any]:
    """The item without what differs each time it is made."""
    parts = {name: value for name, value in item.items() if name != "created_at"}
    if item["type"] == "workflow":
        # A duration is counted anew.
        parts["workflow"] = {name: value for name, value in item["workflow"].items() if name != "summary"}
    return parts
