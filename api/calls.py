"""Requests that run a team's code and answer with JSON: runs of kind `call`, carried out by a worker and awaited.

They stand outside the one answer at a time of a conversation; the result is in the run's row.
"""

import asyncio
import base64
import binascii
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from chatkit.types import (
    AttachmentCreateParams,
    InputTranscribeParams,
    ItemFeedbackParams,
    ThreadCustomActionParams,
)

from api.admission import Admission
from api.continuation import action_request, check_sender
from api.prelude import Prelude, Refused
from api.submission import Submission
from api.watch import Watch
from shared import attachments, feedback
from shared.database import AWAY, Connection
from shared.errors import Invalid, NotFound, NotOffered, Problem, TooLarge, TooLate
from shared.event_log import EventLog, ended
from shared.messages import Writer
from shared.records import Record
from shared.runs import RunKind, Runs, RunStatus
from shared.tables import Run

Json = dict[str, Any]


class Calls:
    """`await call(submission, prelude)` is the call's result."""

    def __init__(self, admission: Admission, log: EventLog, runs: Runs, watch: Watch, *, timeout: float) -> None:
        self._admission, self._log, self._runs, self._watch = admission, log, runs, watch
        self._timeout = timeout

    async def __call__(self, submission: Submission, prelude: Prelude) -> Json:
        """Admit the call and wait for it. Raises TooLate, NotOffered, NotFound, and Problem where it failed."""
        run = await self._admission.admit(submission, replace(prelude, deadline=self._timeout))
        try:
            async with asyncio.timeout(self._timeout):
                await self._end_of(run)
        except TimeoutError:
            raise TooLate from None
        run = await self._runs.get(run.user_id, run.id)
        if run.status == RunStatus.COMPLETED:
            return run.result or {}
        raise _problem(run.error or {})

    async def _end_of(self, run: Run) -> None:
        """The log's end is the doorbell; at every quiet second the record is looked at."""
        async with aclosing(self._log.follow(run.id)) as batches:
            async for batch in batches:
                if ended(batch) or await self._ended(run):
                    return

    async def _ended(self, run: Run) -> bool:
        try:
            return (await self._watch.look(run.id)).status.ended
        except AWAY:
            return False


def sync_action(params: ThreadCustomActionParams) -> Prelude:
    """`threads.sync_custom_action`."""
    request = {"call": "sync_action", **action_request(params)}

    async def check(connection: Connection, writer: Writer) -> list[Record]:
        try:
            await check_sender(connection, writer.user_id, params)
        except Refused as refused:
            raise Invalid(refused.message) from None
        return []

    return Prelude(params.thread_id, RunKind.CALL, request, apply=check)


def transcription(params: InputTranscribeParams) -> Prelude:
    """`input.transcribe`. Raises Invalid for audio that is not base64."""
    try:
        base64.b64decode(params.audio_base64, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("Not valid: params.audio_base64") from None
    return Prelude(None, RunKind.CALL, {"call": "transcribe", **params.model_dump()})


def feedback_given(params: ItemFeedbackParams) -> Prelude:
    """`items.feedback`: kept by us in any case, and told to the server's own hook."""

    async def keep(connection: Connection, writer: Writer) -> list[Record]:
        await feedback.save(connection, writer.user_id, params.thread_id, item_ids=params.item_ids, kind=params.kind)
        return []

    request = {"call": "add_feedback", "item_ids": params.item_ids, "kind": params.kind}
    return Prelude(params.thread_id, RunKind.CALL, request, apply=keep)


def attachment_created(params: AttachmentCreateParams) -> Prelude:
    """`attachments.create` where a team's server may keep attachments in its own way."""
    return Prelude(None, RunKind.CALL, {"call": "create_attachment", **params.model_dump()})


def attachment_deleted(attachment_id: str) -> Prelude:
    """`attachments.delete` there: whose it is, is asked before the team's store hears of it."""

    async def check(connection: Connection, writer: Writer) -> list[Record]:
        await attachments.one(connection, writer.user_id, attachment_id)
        return []

    request = {"call": "delete_attachment", "attachment_id": attachment_id}
    return Prelude(None, RunKind.CALL, request, apply=check)


_PROBLEMS: dict[str, type[Problem]] = {one.type: one for one in (NotFound, NotOffered, TooLate, TooLarge, Invalid)}


def _problem(error: Json) -> Problem:
    """The run's error as its caller is told of it; a message is there only where it was written for users."""
    return _PROBLEMS.get(error.get("code", ""), Problem)(error.get("message"))
