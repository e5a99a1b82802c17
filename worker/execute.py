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
from chatkit.types import ErrorEvent

from shared import messages, tracing
from shared.bounds import Bound
from shared.database import AWAY, Database
from shared.errors import StaleAttempt
from shared.event_log import EventLog
from shared.fold import item_event
from shared.logging import described
from shared.queue import Queue
from shared.records import End, Event, Record
from shared.runs import RunKind, Runs, RunStatus
from shared.tables import Run
from worker.bounds import Bounds
from worker.current_run import CurrentRun, carrying_out
from worker.flusher import Flusher
from worker.journal import Journal
from worker.log_writer import LogWriter
from worker.metrics import WorkerMeter
from worker.observed import seconds_since_admission
from worker.recovery import forget_leftovers, recover
from worker.request import events_of
from worker.slots import Attempt
from worker.stop import StopReason
from worker.voice import Voice

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
    bounds: Bounds
    meter: WorkerMeter


FAILED = ErrorEvent(code=ErrorCode.STREAM_ERROR, allow_retry=True)
TOO_LONG = ErrorEvent(message=Bound.DEADLINE.sentence, allow_retry=True)
INFRASTRUCTURE = (*AWAY, StaleAttempt)


class Abandoned(Exception):
    """Our own infrastructure failed under the attempt: the run goes back to the queue."""


async def execute_run(room: Room, attempt: Attempt) -> None:
    """From claimed to ended, or given back."""
    run = attempt.run
    writer = LogWriter(room.flusher, run, lambda: _prelude(room, run))
    writer.on_sent = room.meter.first_words(attempt.age) if run.attempt == 1 else None
    deadline = asyncio.get_running_loop().call_later(_seconds_left(run), attempt.stop, StopReason.DEADLINE)
    try:
        status = await _answer(room, attempt, writer)
        if await _finish(room, attempt, status):
            writer.append(End(status))
            with tracing.span("final flush"):
                await writer.settled(FINAL_FLUSH_SECONDS)
            attempt.records = writer.length
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
    current = CurrentRun(
        attempt.run,
        lambda record: voice.tell(record),  # noqa: PLW0108  (made next)
        room.bounds,
        rows=attempt.rows,
        meter=room.meter,
    )
    voice = Voice(room.database, writer, current)
    attempt.begin(current)
    try:
        with carrying_out(current):
            await _begin(room, current, writer, voice)
            await _say_everything(room, current, voice)
    except asyncio.CancelledError:
        if attempt.stopped not in (StopReason.USER, StopReason.DEADLINE):
            raise
        _forget_cancellation()
    except Exception as error:
        if attempt.stopped in (StopReason.SHUTDOWN, StopReason.LEASE_LOST):
            # Whatever was made of the cancellation on the way, it is one.
            raise asyncio.CancelledError from None
        current.failure = current.failure or (error if isinstance(error, INFRASTRUCTURE) else None)
        if attempt.stopped is not None:
            _forget_cancellation()
        elif current.failure is None:
            logger.error("answer failed", run=attempt.run.id, attempt=attempt.run.attempt, **described(error))
            await voice.say(FAILED)
    if writer.stale.is_set() or isinstance(current.failure, StaleAttempt):
        raise StaleAttempt(attempt.run.id)
    if current.failure is not None:
        raise Abandoned(type(current.failure).__name__)
    if attempt.stopped is StopReason.DEADLINE:
        current.passed = Bound.DEADLINE
        await voice.say(TOO_LONG)
    status = _status(attempt, writer)
    if status is RunStatus.COMPLETED and attempt.run.attempt > 1:
        await forget_leftovers(room.database, current, writer)
    await voice.close()
    return status


async def _begin(room: Room, current: CurrentRun, writer: LogWriter, voice: Voice) -> None:
    """Open the log and the journal; a later attempt goes on from what they hold."""
    current.journal = journal = Journal(room.database, current)
    if current.run.attempt == 1:
        writer.open_soon()
    else:
        await writer.open()
        with tracing.span("recovery"):
            await journal.load()
            voice.repeats = await recover(room.database, current, writer)


async def _say_everything(room: Room, current: CurrentRun, voice: Voice) -> None:
    if current.run.kind == RunKind.ACTION and current.run.attempt > 1:
        # A custom action may have done anything: it is not run twice (promise P3).
        await voice.say(FAILED)
        return
    events = events_of(room.server, room.build_context, current)
    async for event in events:
        logger.info("first event", seconds_since_admission=seconds_since_admission(current.run))
        await voice.say(event)
        break
    async for event in events:
        await voice.say(event)


def _status(attempt: Attempt, writer: LogWriter) -> RunStatus:
    match attempt.stopped:
        case StopReason.USER:
            return RunStatus.CANCELLED
        case StopReason.DEADLINE:
            return RunStatus.FAILED
        case _:
            return RunStatus.FAILED if writer.fold.error else RunStatus.COMPLETED


async def _finish(room: Room, attempt: Attempt, status: RunStatus) -> bool:
    assert attempt.current is not None
    code = attempt.current.passed or ErrorCode.STREAM_ERROR
    error = {"code": code} if status is RunStatus.FAILED else None
    finished = await room.runs.finish(attempt.run, status, usage=attempt.current.journal.usage, error=error)
    attempt.finished = True
    if finished:
        attempt.status = status
        room.meter.run_ended(attempt.run.kind, status, attempt.age())
    return finished


async def _give_back(room: Room, run: Run) -> None:
    if await room.runs.hand_over(run):
        await room.queue.enqueue(run.id)


async def _prelude(room: Room, run: Run) -> list[Record]:
    """What the admission showed, from Postgres: the beginning of a log that has to be begun anew."""
    created = run.request.get("created")
    events: list[Record] = [Event(created.encode())] if created else []
    assert run.conversation_id is not None
    async with room.database.of(run.user_id).connection() as connection:
        rows = await messages.of_run(connection, run.user_id, run.conversation_id, run.id, attempt=0)
        if replaced := run.request.get("replaced_id"):
            rows += await messages.some(connection, run.user_id, run.conversation_id, [replaced])
    return events + [item_event("thread.item.done", messages.visible(row["item"])) for row in rows]


def _seconds_left(run: Run) -> float:
    return max((run.deadline - datetime.now(UTC)).total_seconds(), 0.0)


def _forget_cancellation() -> None:
    """The task was cancelled to stop the answer; ending the run properly is still its work."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
