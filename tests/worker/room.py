"""A worker's parts in this process, and a server of the test's own; each attempt is a task that may be stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
)

from shared.context import RequestContext
from shared.database import Database
from shared.event_log import EventLog
from shared.fold import Fold
from shared.messages import HIDDEN_TYPES, visible
from shared.queue import Queue
from shared.records import Record
from shared.runs import Claim, Runs
from shared.tables import Run
from tests.rows import DAY, stored
from worker.bounds import UNBOUNDED, Bounds
from worker.conversation_store import ConversationStore
from worker.execute import Room, execute_run
from worker.flusher import Flusher
from worker.metrics import WorkerMeter
from worker.server import load_context
from worker.slots import Attempt
from worker.stop import StopReason, tell_only_of_stop

Respond = Callable[[ThreadMetadata, Any, Any], AsyncIterator[ThreadStreamEvent]]


class Says(ChatKitServer[RequestContext]):
    """A server that answers with what it is given."""

    def __init__(self, database: Database, respond: Respond) -> None:
        super().__init__(ConversationStore(database))
        self._respond = respond

    def respond(self, thread: ThreadMetadata, input_user_message: Any, context: Any) -> Any:
        return self._respond(thread, input_user_message, context)


class Place:
    """Where attempts are carried out: the room, and the test's hands in it."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def begin(self, run: Run) -> Attempt:
        """The attempt, in work."""
        attempt = Attempt(Claim(run), float("inf"))
        attempt.task = asyncio.create_task(execute_run(self.room, attempt))
        return attempt

    async def carry_out(self, run: Run) -> Attempt:
        """The attempt, ended by itself."""
        attempt = self.begin(run)
        assert attempt.task is not None
        await attempt.task
        return attempt

    async def stop(self, attempt: Attempt, reason: StopReason) -> None:
        """Stop the attempt and wait until it is gone."""
        attempt.stop(reason)
        assert attempt.task is not None
        await asyncio.wait([attempt.task])

    async def said(self, run: Run) -> list[Record]:
        """The run's log."""
        return [record async for record in self.room.log.records(run.id)]

    async def shown(self, run: Run) -> Fold:
        """What a client shows that has seen the run's log."""
        fold = Fold()
        for record in await self.said(run):
            fold.apply(record)
        return fold

    async def stored(self, run: Run) -> dict[str, Any]:
        """What the run has stored that its user may see, by id."""
        rows = await stored(self.room.database, run)
        own = [row for row in rows if row["run_id"] == run.id and row["attempt"] > 0]
        return {row["id"]: visible(row["item"]) for row in own if row["type"] not in HIDDEN_TYPES}

    def answering(self, respond: Respond) -> "Place":
        """The same place with another server."""
        return Place(replace(self.room, server=server_of(self.room.database, respond)))


@asynccontextmanager
async def place_of(
    database: Database, event_log: EventLog, queue: Queue, server: ChatKitServer[Any], bounds: Bounds = UNBOUNDED
) -> AsyncIterator[Place]:
    """A worker's parts around this server."""
    runs = Runs(database)
    meter = WorkerMeter()
    async with Flusher(event_log, runs, tail=60, meter=meter) as flusher:
        yield Place(Room(database, runs, event_log, flusher, queue, server, load_context(None), bounds, meter))


def server_of(database: Database, respond: Respond) -> ChatKitServer[Any]:
    """A server that answers so, and hears of Stop alone, as in a worker."""
    server = Says(database, respond)
    tell_only_of_stop(server)
    return server


def texts(fold: Fold) -> list[str]:
    """The assistant's texts that are shown."""
    messages = [item for item in fold.items() if item["type"] == "assistant_message"]
    return ["".join(part["text"] for part in item["content"]) for item in messages]


async def speech(thread: ThreadMetadata, text: str, *, item_id: str = "msg_1") -> AsyncIterator[ThreadStreamEvent]:
    """A message, told word by word and done."""
    item = AssistantMessageItem(id=item_id, thread_id=thread.id, created_at=DAY, content=[])
    async for event in half(thread, text, item_id=item_id):
        yield event
    done = {"type": "output_text", "text": text, "annotations": []}
    yield ThreadItemDoneEvent(item=AssistantMessageItem.model_validate({**item.model_dump(), "content": [done]}))


async def half(thread: ThreadMetadata, text: str, *, item_id: str = "msg_1") -> AsyncIterator[ThreadStreamEvent]:
    """The same, and never done."""
    item = AssistantMessageItem(id=item_id, thread_id=thread.id, created_at=DAY, content=[])
    yield ThreadItemAddedEvent(item=item)
    for word in text.split(" "):
        delta = word if word == text.split(" ", maxsplit=1)[0] else f" {word}"
        update = AssistantMessageContentPartTextDelta(content_index=0, delta=delta)
        yield ThreadItemUpdatedEvent(item_id=item_id, update=update)
