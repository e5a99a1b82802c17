"""A run's events, as server-sent events: from any cursor, live, until the run has ended.

The relay passes bytes on and decides nothing: what was lost on the way is read again by the log, and when the
log itself has nothing to say the run's record does. A stream that closes without `: end` means "come back".
"""

import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum

from api.watch import Watch
from shared import messages
from shared.database import AWAY, Database
from shared.event_log import Batch, EventLog, end_status, ended
from shared.fold import item_event
from shared.records import Cursor, Delta, End, Event, Record, decode, delta_frame
from shared.runs import Standing
from shared.simple import frame
from shared.tables import Run

UNOWNED_SECONDS = 30.0
"""After so long without a worker the reader is sent away to come back later."""
QUEUED_SECONDS = 1.0


class Dialect(StrEnum):
    """How events are framed for a client."""

    CHATKIT = "chatkit"
    SIMPLE = "simple"


@dataclass(frozen=True)
class Relay:
    """What following a run takes, made once per API process."""

    log: EventLog
    watch: Watch
    database: Database
    ping_seconds: float

    async def follow(self, run: Run, after: Cursor, dialect: Dialect) -> AsyncGenerator[bytes, None]:
        """The bytes of the stream, from after the cursor to the run's end."""
        frames = FRAMES[dialect]
        async with aclosing(self.log.follow(run.id, after)) as batches:
            said, place, waited_for_end = time.monotonic(), 0, False
            async for batch in batches:
                chunk = b""
                if batch.records:
                    chunk = b"".join(framed(batch, frames))
                    if ended(batch):
                        yield chunk + ending(run, end_status(batch), dialect)
                        return
                elif standing := await self._standing(run):
                    if standing.status.ended and (waited_for_end or not batch.found):
                        yield await self._from_record(run, standing, frames, dialect)
                        return
                    if standing.unowned_seconds > UNOWNED_SECONDS:
                        return
                    # The worker writes the end of the log just after the record: give it one quiet second.
                    waited_for_end = standing.status.ended
                    place, moved = standing.queue_position or 0, place != standing.queue_position
                    if place and moved and standing.waiting_seconds > QUEUED_SECONDS and dialect is Dialect.CHATKIT:
                        chunk = waiting_frame(place)
                if not chunk and time.monotonic() - said >= self.ping_seconds:
                    chunk = b": ping\n\n"
                if chunk:
                    said = time.monotonic()
                    yield chunk

    async def _standing(self, run: Run) -> Standing | None:
        try:
            return await self.watch.look(run.id)
        except AWAY:
            return None

    async def _from_record(
        self, run: Run, standing: Standing, frames: Callable[[Record], list[bytes]], dialect: Dialect
    ) -> bytes:
        """What the run has stored, as done events without ids, and its end: the log is gone."""
        rows = []
        if run.conversation_id is not None:
            async with self.database.connection() as connection:
                rows = await messages.of_run(connection, run.user_id, run.conversation_id, run.id)
        events = [item_event("thread.item.done", messages.visible(row["item"])) for row in rows]
        body = b"".join(b"data: %s\n\n" % data for event in events for data in frames(event))
        return body + ending(run, standing.status, dialect)


def chatkit_frames(record: Record) -> list[bytes]:
    """A record as the ChatKit protocol has it."""
    match record:
        case Event(chatkit):
            return [chatkit] if chatkit else []
        case Delta():
            return [delta_frame(record)]
        case End():
            return []


def simple_frames(record: Record) -> list[bytes]:
    """A record in the simple dialect."""
    match record:
        case Event(_, simple):
            return list(simple)
        case Delta(_, _, text):
            return [b'{"type":"text","content":%s}' % text]
        case End():
            return []


FRAMES: dict[Dialect, Callable[[Record], list[bytes]]] = {
    Dialect.CHATKIT: chatkit_frames,
    Dialect.SIMPLE: simple_frames,
}


def framed(batch: Batch, frames: Callable[[Record], list[bytes]]) -> Iterable[bytes]:
    """The batch as SSE; of a record's frames only the last carries its id, so none is half-acknowledged."""
    for sequence, data in enumerate(batch.records, batch.first):
        parts = frames(decode(data))
        for part in parts[:-1]:
            yield b"data: %s\n\n" % part
        if parts:
            yield b"id: %d.%d\ndata: %s\n\n" % (batch.generation, sequence, parts[-1])


def ending(run: Run, status: str, dialect: Dialect) -> bytes:
    """The last frames of an ended run."""
    end = b": end %s\n\n" % status.encode()
    if dialect is Dialect.CHATKIT:
        return end
    done = frame(type="done", thread_id=run.conversation_id, run_id=run.id)
    return b"data: %s\n\ndata: [DONE]\n\n%s" % (done, end)


def waiting_frame(place: int) -> bytes:
    """The relay's own word on a queued run: no id, never replayed."""
    text = "Waiting for a free worker" + (f" ({place - 1} ahead)" if place > 1 else "")
    return b"data: %s\n\n" % frame(type="progress_update", text=text)
