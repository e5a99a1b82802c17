"""How a run's stream ends, whoever ends it: every open item is done if it was stored, removed if it was not."""

import json

from shared import messages
from shared.bounds import Bound
from shared.database import Database
from shared.event_log import EventLog
from shared.fold import Fold, item_event, removed_event
from shared.messages import visible
from shared.records import End, Event
from shared.runs import RunStatus
from shared.simple import STREAM_ERROR_MESSAGE, frame
from shared.tables import Run

ERROR_EVENT = Event(
    b'{"type":"error","code":"stream.error","allow_retry":true}',
    (frame(type="error", message=STREAM_ERROR_MESSAGE),),
)


async def closing_events(database: Database, run: Run, fold: Fold) -> list[Event]:
    """The events that close what the fold still shows as open."""
    open_ids = fold.open_ids()
    if not open_ids or run.conversation_id is None:
        return []
    async with database.of(run.user_id).connection() as connection:
        rows = await messages.some(connection, run.user_id, run.conversation_id, open_ids)
    stored = {row["id"]: row["item"] for row in rows}
    return [
        item_event("thread.item.done", visible(stored[item_id])) if item_id in stored else retraction(fold, item_id)
        for item_id in open_ids
    ]


async def end_log(log: EventLog, database: Database, run: Run) -> bool:
    """Close the log of a run that was ended by somebody else than its worker; no attempt may append afterwards.

    False if it was closed already.
    """
    fold = Fold()
    async for record in log.records(run.id):
        fold.apply(record)
    if fold.status is not None:
        return False
    records: list[Event | End] = [*await closing_events(database, run, fold)]
    if run.status == RunStatus.FAILED:
        records.append(error_event((run.error or {}).get("code")))
    return await log.seal(run.id, [*records, End(run.status)])


def error_event(code: str | None) -> Event:
    """What is said of a failed run with this error code."""
    if code not in list(Bound):
        return ERROR_EVENT
    said = {"type": "error", "code": "custom", "message": Bound(code).sentence, "allow_retry": True}
    return Event(json.dumps(said, separators=(",", ":")).encode(), (frame(type="error", message=said["message"]),))


def retraction(fold: Fold, item_id: str) -> Event:
    """Take the item off the screen; the simple dialect, which has no items, takes the text back."""
    told = fold.shows(item_id) and messages.readable(fold.item(item_id))
    return Event(removed_event(item_id).chatkit, (frame(type="retract"),) if told else ())
