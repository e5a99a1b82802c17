"""`run.attach`: a page that has loaded a conversation takes up its running answer, with nothing lost or shown twice.

The stock ChatKit frontend cannot follow a run after a reload, but it can send a custom action, and a custom action is
answered with a stream. This one is answered with the run itself: what it shows by now, then what follows, live.
"""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from chatkit.types import ThreadCustomActionParams
from starlette.responses import Response

from api.dependencies import House
from api.reading import Dialect
from api.relay import Relay, ending
from api.streams import Seat
from shared.channels import REDIS_AWAY
from shared.errors import NotFound
from shared.event_log import EventLog
from shared.fold import Fold, removed_event
from shared.identity import Principal
from shared.records import START, Cursor, Event, Record, Shorthand
from shared.tables import Run

ACTION = "run.attach"

LASTING = ("thread.updated", "stream_options", "error")
"""Events of no item whose latest still tells a newcomer something."""


async def attach(house: House, seat: Seat, principal: Principal, params: ThreadCustomActionParams) -> Response:
    """The stream of the run that answers this conversation, or of the run the page names; without one, its end.

    A page names the run that was active when it loaded: had that ended meanwhile, its end would be missed.
    """
    await house.conversations.get(principal.user_id, params.thread_id)
    run = await _run(house, principal.user_id, params)
    if run is None:
        headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
        return Response(b": end none\n\n", media_type="text/event-stream", headers=headers)
    seat.take()
    return house.stream(run, principal, _take_up(house.relay, run))


async def _run(house: House, user_id: str, params: ThreadCustomActionParams) -> Run | None:
    payload = params.action.payload
    named = payload.get("run_id") if isinstance(payload, dict) else None
    run_id = named if isinstance(named, str) else await house.runs.active(user_id, params.thread_id)
    if run_id is None:
        return None
    run = await house.runs.get(user_id, run_id)
    if run.conversation_id != params.thread_id:
        raise NotFound
    return run


async def _take_up(relay: Relay, run: Run) -> AsyncGenerator[bytes, None]:
    """What the run shows by now, in one chunk whose last frame carries the cursor; then the rest, live."""
    try:
        shown, cursor = await _shown(relay.log, run.id)
    except REDIS_AWAY:
        shown, cursor = Shown(), START
    frames = [event.chatkit for event in shown.events()]
    chunk = b"".join(b"data: %s\n\n" % frame for frame in frames[:-1])
    if frames:
        chunk += b"id: %s\ndata: %s\n\n" % (str(cursor).encode(), frames[-1])
    if shown.fold.status is not None:
        yield chunk + ending(run, shown.fold.status, Dialect.CHATKIT)
        return
    if chunk:
        yield chunk
    async with aclosing(relay.follow(run, cursor, Dialect.CHATKIT)) as live:
        async for part in live:
            yield part


@dataclass
class Shown:
    """What a client that has seen all of a run is showing, and how to show a newcomer the same."""

    fold: Fold = field(default_factory=Fold)
    removed: dict[str, None] = field(default_factory=dict)
    lasting: dict[str, Event] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Take one more record into account."""
        self.fold.apply(record)
        match record:
            case Event(chatkit) if chatkit:
                event: dict[str, Any] = json.loads(chatkit)
                if event["type"] == "thread.item.removed":
                    self.removed[event["item_id"]] = None
                elif event["type"] in LASTING:
                    self.lasting[event["type"]] = Event(chatkit)

    def events(self) -> list[Event]:
        """First what went: the page may have loaded it before it was taken back. Then each item as it is."""
        items = self.fold.items()
        gone = [removed_event(item_id) for item_id in self.removed if item_id not in {item["id"] for item in items}]
        error = self.lasting.get("error")
        before = [event for kind, event in self.lasting.items() if kind != "error"]
        return [*gone, *before, *self.fold.snapshot(), *([error] if error else [])]


async def _shown(log: EventLog, run_id: str) -> tuple[Shown, Cursor]:
    """The log so far, folded, and where it ends; a log that begins anew while it is read is folded anew."""
    shown, shorthand, cursor, behind = Shown(), Shorthand(), START, True
    while behind:
        batch = await log.read(run_id, cursor)
        if not batch.found:
            return Shown(), START
        if cursor != START and batch.generation != cursor.generation:
            shown, shorthand = Shown(), Shorthand()
        shorthand.learn(batch.introductions)
        for data in batch.records:
            shown.apply(shorthand.decode(data))
        cursor, behind = batch.last, batch.behind
    return shown, cursor
