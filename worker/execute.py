"""One run, carried out: answer through the SDK's own event loop, say every event, end what was left open.

The SDK keeps its semantics (what is stored when, errors as events, title updates, what a Stop stores); here
is what it does not know: the attempt may be stopped for other reasons than Stop, infrastructure may fail
under it, and whatever was begun must be seen to end (promise P2).
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from chatkit.errors import ErrorCode
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    ErrorEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from shared import messages
from shared.database import Database
from shared.ending import closing_events
from shared.errors import StaleAttempt
from shared.event_log import EventLog
from shared.fold import item_event
from shared.logging import described
from shared.queue import Queue
from shared.records import Delta, End, Event, Record
from shared.runs import Runs, RunStatus
from shared.tables import Run
from shared.wire import json_string, to_wire
from worker import runner
from worker.current_run import CurrentRun, carrying_out
from worker.log_writer import Flusher, LogWriter
from worker.narration import Narration
from worker.request import events_of
from worker.slots import Attempt
from worker.stop import StopReason

logger = structlog.get_logger()

FINAL_FLUSH_SECONDS = 2.0


@dataclass(frozen=True)
class Room:
    """What carrying out a run needs, made once per worker."""

    database: Database
    runs: Runs
    log: EventLog
    flusher: Flusher
    queue: Queue
    server: ChatKitServer[Any]
    build_context: Any


class Abandoned(Exception):
    """Our own infrastructure failed under the attempt: the run goes back to the queue."""


async def execute_run(room: Room, attempt: Attempt) -> None:
    """From claimed to ended, or given back."""
    run = attempt.run
    writer = LogWriter(room.flusher, run, lambda: _prelude(room, run))
    attempt.current = current = CurrentRun(run, writer.append)
    deadline = asyncio.get_running_loop().call_later(_seconds_left(run), attempt.stop, StopReason.DEADLINE)
    try:
        await writer.open()
        with carrying_out(current):
            status = await _answer(room, attempt, writer)
        if await _finish(room, attempt, status):
            writer.append(End(status))
            await writer.settled(FINAL_FLUSH_SECONDS)
    except StaleAttempt:
        logger.info("attempt superseded", run=run.id, attempt=run.attempt)
    except Abandoned as abandoned:
        logger.warning("attempt abandoned", run=run.id, attempt=run.attempt, error=str(abandoned))
        await _give_back(room, run)
    except asyncio.CancelledError:
        if attempt.stopped is StopReason.SHUTDOWN:
            await asyncio.shield(_give_back(room, run))
        raise
    finally:
        deadline.cancel()


async def _answer(room: Room, attempt: Attempt, writer: LogWriter) -> RunStatus:
    """Say everything the server says; the status the run has earned by it."""
    voice = Voice(room.database, writer, attempt)
    try:
        async for event in events_of(room.server, room.build_context, attempt.run):
            await voice.say(event)
    except Exception as error:
        if voice.current.failure is None:
            logger.error("answer failed", run=attempt.run.id, attempt=attempt.run.attempt, **described(error))
            await voice.say(ErrorEvent(code=ErrorCode.STREAM_ERROR, allow_retry=True))
    except asyncio.CancelledError:
        if attempt.stopped not in (StopReason.USER, StopReason.DEADLINE):
            raise
        _forget_cancellation()
    if writer.stale.is_set():
        raise StaleAttempt(attempt.run.id)
    if voice.current.failure is not None:
        raise Abandoned(type(voice.current.failure).__name__)
    match attempt.stopped:
        case StopReason.USER:
            status = RunStatus.CANCELLED
        case StopReason.DEADLINE:
            await voice.say(ErrorEvent(message="This answer took too long and was ended.", allow_retry=True))
            status = RunStatus.FAILED
        case _:
            status = RunStatus.FAILED if writer.fold.error else RunStatus.COMPLETED
    await voice.close()
    return status


class Voice:
    """Puts a run's events into its log, in both dialects."""

    def __init__(self, database: Database, writer: LogWriter, attempt: Attempt) -> None:
        assert attempt.current is not None
        self.current = attempt.current
        self._database, self._writer, self._narration = database, writer, Narration()

    async def say(self, event: ThreadStreamEvent) -> None:
        """One event of the server's. An error closes what is open first: half an answer never stands as a whole."""
        match event:
            case ThreadItemUpdatedEvent(item_id=item_id, update=AssistantMessageContentPartTextDelta() as update):
                self._narration.told(item_id, update.delta)
                self._writer.append(Delta(item_id, update.content_index, json_string(update.delta)))
                return
            case ErrorEvent():
                if self.current.failure is not None:
                    return
                await self.close()
        self._writer.append(Event(to_wire(event), self._narration.frames(event)))

    async def close(self) -> None:
        """Close what is open: done if it was stored, removed if it was not."""
        for event in await closing_events(self._database, self.current.run, self._writer.fold):
            self._writer.append(event)


async def _finish(room: Room, attempt: Attempt, status: RunStatus) -> bool:
    assert attempt.current is not None
    error = {"code": "stream.error"} if status is RunStatus.FAILED else None
    finished = await room.runs.finish(attempt.run, status, usage=runner.usage(attempt.current), error=error)
    attempt.finished = True
    logger.info("run ended", run=attempt.run.id, attempt=attempt.run.attempt, status=status, held=finished)
    return finished


async def _give_back(room: Room, run: Run) -> None:
    if await room.runs.hand_over(run):
        await room.queue.enqueue(run.id)


async def _prelude(room: Room, run: Run) -> list[Record]:
    """What the admission showed, from Postgres: the beginning of a log that has to be begun anew."""
    created = run.request.get("created")
    events: list[Record] = [Event(created.encode())] if created else []
    assert run.conversation_id is not None
    async with room.database.connection() as connection:
        rows = await messages.of_run(connection, run.user_id, run.conversation_id, run.id, attempt=0)
    return events + [item_event("thread.item.done", messages.visible(row["item"])) for row in rows]


def _seconds_left(run: Run) -> float:
    return max((run.deadline - datetime.now(UTC)).total_seconds(), 0.0)


def _forget_cancellation() -> None:
    """The task was cancelled to stop the answer; ending the run properly is still its work."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
