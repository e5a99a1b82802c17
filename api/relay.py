"""A run's events, as server-sent events: from any cursor, live, until the run has ended.

The relay passes bytes on and decides nothing: what was lost on the way is read again by the log, and when the
log itself has nothing to say the run's record does. A stream that closes without `: end` means "come back".
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from api.reading import Dialect, Reading
from api.watch import Watch
from shared import messages
from shared.database import AWAY, Database
from shared.ending import error_event
from shared.event_log import EventLog, end_status, ended
from shared.records import Cursor
from shared.runs import RunStatus
from shared.simple import frame
from shared.standings import Standing
from shared.tables import Run

UNOWNED_SECONDS = 30.0
"""After so long without a worker the reader is sent away to come back later."""
QUEUED_SECONDS = 1.0


@dataclass(frozen=True)
class Relay:
    """What following a run takes, made once per API process."""

    log: EventLog
    watch: Watch
    database: Database
    ping_seconds: float

    async def follow(self, run: Run, after: Cursor, dialect: Dialect) -> AsyncGenerator[bytes, None]:
        """The bytes of the stream, from after the cursor to the run's end."""
        reading = Reading(dialect, after)
        async with aclosing(self.log.follow(run.id, after)) as batches:
            said, place, waited_for_end = time.monotonic(), 0, False
            async for batch in batches:
                chunk = b""
                reading.learn(batch)
                if batch.records:
                    chunk = reading.chunk(batch)
                    if ended(batch):
                        yield chunk + ending(run, end_status(batch), dialect)
                        return
                elif standing := await self._standing(run):
                    if standing.status.ended and (waited_for_end or not batch.found):
                        yield await self._from_record(run, standing, reading)
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

    async def _from_record(self, run: Run, standing: Standing, reading: Reading) -> bytes:
        """What the run has stored, as done events without ids, what it failed of, and its end: the log is gone."""
        rows = []
        if run.conversation_id is not None:
            async with self.database.of(run.user_id).connection() as connection:
                rows = await messages.of_run(connection, run.user_id, run.conversation_id, run.id)
        error = error_event(standing.error) if standing.status is RunStatus.FAILED else None
        stored = reading.stored([messages.visible(row["item"]) for row in rows], error)
        return stored + ending(run, standing.status, reading.dialect)


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
