"""Runs of kind `call`: a team's code that answers with JSON, its result in the run's row."""

import asyncio
import base64
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import AttachmentCreateParams, AudioInput, WidgetItem
from pydantic import BaseModel

from shared.channels import REDIS_AWAY
from shared.errors import Problem
from shared.logging import described
from shared.records import End
from shared.runs import RunStatus
from shared.tables import Run
from shared.wire import to_wire
from worker.bounds import bound_passed
from worker.current_run import CurrentRun, carrying_out
from worker.execute import Room
from worker.journal import Journal
from worker.request import BuildContext, item_of, request_context
from worker.slots import Attempt
from worker.stop import StopReason

logger = structlog.get_logger()

Json = dict[str, Any]

ONCE = ("sync_action", "add_feedback", "create_attachment")
"""Calls that may have had an effect when their worker died: nobody knows, so they are not made again."""

_FORGET_AUDIO = "UPDATE runs SET request = request - 'audio_base64' WHERE id = %(id)s"


@dataclass(frozen=True)
class Outcome:
    """What came of a call; `error` is for the API to turn into a problem."""

    status: RunStatus
    result: Json | None = None
    error: Json | None = None


async def execute_call(room: Room, attempt: Attempt) -> None:
    """From claimed to ended, or given back."""
    run = attempt.run
    current = CurrentRun(run, say=lambda _: None, bounds=room.bounds, rows=attempt.rows, meter=room.meter)
    current.journal = Journal(room.database, current)
    attempt.begin(current)
    deadline = asyncio.get_running_loop().call_later(_seconds_left(run), attempt.stop, StopReason.DEADLINE)
    try:
        with carrying_out(current):
            if run.attempt > 1:
                await current.journal.load()
            outcome = await _outcome(room, attempt)
    except asyncio.CancelledError:
        if attempt.stopped is StopReason.SHUTDOWN and await asyncio.shield(room.runs.hand_over(run)):
            await room.queue.enqueue(run.id)
        raise
    finally:
        deadline.cancel()
    if current.failure is not None and await room.runs.hand_over(run):
        logger.warning("call abandoned", run=run.id, error=type(current.failure).__name__)
        await room.queue.enqueue(run.id)
    elif await room.runs.finish(
        run, outcome.status, usage=current.journal.usage, result=outcome.result, error=outcome.error
    ):
        attempt.finished, attempt.status = True, outcome.status
        room.meter.run_ended(run.kind, outcome.status, attempt.age())
        await room.database.of(run.user_id).run(_FORGET_AUDIO, {"id": run.id})
        with suppress(*REDIS_AWAY):
            await room.log.seal(run.id, [End(outcome.status)])


async def _outcome(room: Room, attempt: Attempt) -> Outcome:
    run = attempt.run
    if run.attempt > 1 and run.request["call"] in ONCE:
        return _failed("unknown-outcome")
    try:
        return Outcome(RunStatus.COMPLETED, result=await carry_out(room.server, room.build_context, run))
    except asyncio.CancelledError:
        if attempt.stopped not in (StopReason.USER, StopReason.DEADLINE):
            raise
        return Outcome(RunStatus.CANCELLED) if attempt.stopped is StopReason.USER else _failed("too-late")
    except Exception as error:
        return _failure(run, error)


def _failure(run: Run, error: Exception) -> Outcome:
    if bound := bound_passed(error):
        return _failed(bound, message=bound.sentence)
    match error:
        case NotFoundError():
            return _failed("not-found")
        case NotImplementedError():
            return _failed("not-offered")
        case CustomStreamError(message=message):
            return _failed("custom", message=message)
        case Problem():
            return _failed(error.type, message=error.detail)
        case _:
            logger.error("call failed", run=run.id, call=run.request["call"], **described(error))
            return _failed("call-failed")


async def carry_out(server: ChatKitServer[Any], build_context: BuildContext, run: Run) -> Json:
    """The reply, as `ChatKitServer._process_non_streaming` makes it. Raises what the team's code raises."""
    context, request = await build_context(request_context(run)), run.request
    match request["call"]:
        case "sync_action":
            thread = await server.store.load_thread(run.conversation_id or "", context)
            sender = await item_of(server, run, "sender_id", context)
            assert sender is None or isinstance(sender, WidgetItem)
            action: Action[str, Any] = Action[str, Any].model_validate(request["action"])
            return _json(await server.sync_action(thread, action, sender, context))
        case "transcribe":
            audio = AudioInput(data=base64.b64decode(request["audio_base64"]), mime_type=request["mime_type"])
            return _json(await server.transcribe(audio, context))
        case "add_feedback":
            await server.add_feedback(run.conversation_id or "", request["item_ids"], request["kind"], context)
            return {}
        case "create_attachment":
            params = AttachmentCreateParams(**{name: request[name] for name in AttachmentCreateParams.model_fields})
            attachment = await server._get_attachment_store().create_attachment(params, context)
            await server.store.save_attachment(attachment, context)
            return _json(attachment)
        case "delete_attachment":
            await server._get_attachment_store().delete_attachment(request["attachment_id"], context)
            await server.store.delete_attachment(request["attachment_id"], context)
            return {}
        case unknown:
            raise ValueError(unknown)


def _json(model: BaseModel) -> Json:
    parsed: Json = json.loads(to_wire(model))
    return parsed


def _failed(code: str, **details: Any) -> Outcome:
    return Outcome(RunStatus.FAILED, error={"code": code, **details})


def _seconds_left(run: Run) -> float:
    return max((run.deadline - datetime.now(UTC)).total_seconds(), 0.0)
