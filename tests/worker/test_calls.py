"""Calls: a team's code that answers with JSON, and every way in which it may not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import Agent, MaxTurnsExceeded, Runner, Usage
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ModelStep, ScriptedModel, assistant_message
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.store import NotFoundError
from chatkit.types import AudioInput, SyncCustomActionResponse, TranscriptionResult

from shared import runs
from shared.bounds import Bound
from shared.database import Database
from shared.event_log import EventLog
from shared.ids import new_id
from shared.queue import Queue
from shared.runs import Claim, RunKind, Runs, RunStatus
from shared.tables import Run
from tests.rows import superseded
from tests.worker.carrying import as_it_is
from worker import runner
from worker.bounds import UNBOUNDED
from worker.calls import execute_call
from worker.conversation_store import ConversationStore
from worker.execute import Room
from worker.metrics import WorkerMeter
from worker.slots import Attempt
from worker.stop import StopReason

pytestmark = pytest.mark.anyio

AUDIO = {"call": "transcribe", "audio_base64": "aGVsbG8=", "mime_type": "audio/webm"}


class Listening(ChatKitServer[Any]):
    """Transcribes in the way it is told."""

    def __init__(self, store: ConversationStore, answer: Any) -> None:
        super().__init__(store)
        self.answer, self.asked, self.begun = answer, 0, asyncio.Event()

    async def respond(self, *_: Any) -> AsyncIterator[Any]:
        raise AssertionError
        yield

    async def transcribe(self, audio_input: AudioInput, context: Any) -> TranscriptionResult:
        self.asked += 1
        self.begun.set()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is None:
            await asyncio.Event().wait()
        return TranscriptionResult(text=f"{self.answer} {audio_input.data.decode()} {context.user_id}")

    async def sync_action(self, *_: Any) -> SyncCustomActionResponse:
        self.asked += 1
        return SyncCustomActionResponse()


class Caller:
    """Makes calls in this process."""

    def __init__(self, database: Database, event_log: EventLog, queue: Queue, answer: Any) -> None:
        self.database, self.server = database, Listening(ConversationStore(database), answer)
        parts: dict[str, Any] = {"flusher": None, "server": self.server, "build_context": as_it_is, "bounds": UNBOUNDED}
        parts["meter"] = self.meter = WorkerMeter()
        self.room = Room(database=database, runs=Runs(database), log=event_log, queue=queue, **parts)

    async def admitted(self, request: dict[str, Any], *, deadline: float = 30) -> Run:
        async with self.database.across_users.transaction() as connection:
            parts: dict[str, Any] = {"run_id": new_id("run"), "user_id": "ann", "conversation_id": None}
            inserted = await runs.insert(connection, kind=RunKind.CALL, request=request, deadline=deadline, **parts)
            run = await inserted.fetchone()
            assert run is not None
        return (await Runs(self.database).claim(run.id, "a test")).run

    def begin(self, run: Run) -> Attempt:
        attempt = Attempt(Claim(run), lease_until=float("inf"))
        attempt.task = asyncio.create_task(execute_call(self.room, attempt))
        return attempt

    async def ended(self, run: Run) -> Run:
        attempt = self.begin(run)
        assert attempt.task is not None
        await attempt.task
        return await Runs(self.database).get("ann", run.id)


@pytest.fixture
def calling(database: Database, event_log: EventLog, queue: Queue) -> Any:
    return lambda answer=None: Caller(database, event_log, queue, answer)


async def test_the_result_is_in_the_runs_row_and_the_audio_is_not(calling: Any) -> None:
    caller = calling("heard")
    run = await caller.ended(await caller.admitted(AUDIO))
    assert (run.status, run.result) == (RunStatus.COMPLETED, {"text": "heard hello ann"})
    assert "audio_base64" not in run.request


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError(), {"code": "not-found"}),
        (NotImplementedError("transcribe() must be overridden"), {"code": "not-offered"}),
        (CustomStreamError("too loud"), {"code": "custom", "message": "too loud"}),
        (RuntimeError("a secret"), {"code": "call-failed"}),
        (MaxTurnsExceeded("9"), {"code": "max-turns", "message": Bound.TURNS.sentence}),
    ],
)
async def test_a_failure_is_kept_by_its_kind_and_never_by_its_text(calling: Any, error: Exception, code: Any) -> None:
    caller = calling(error)
    run = await caller.ended(await caller.admitted(AUDIO))
    assert (run.status, run.error) == (RunStatus.FAILED, code)


async def test_a_call_ends_at_its_deadline(calling: Any) -> None:
    caller = calling()
    run = await caller.ended(await caller.admitted(AUDIO, deadline=0.05))
    assert (run.status, run.error) == (RunStatus.FAILED, {"code": "too-late"})


@pytest.mark.parametrize(
    ("reason", "status"), [(StopReason.USER, RunStatus.CANCELLED), (StopReason.SHUTDOWN, RunStatus.QUEUED)]
)
async def test_a_stopped_call_ends_or_goes_back_to_the_queue(
    calling: Any, reason: StopReason, status: RunStatus
) -> None:
    caller = calling()
    run = await caller.admitted(AUDIO)
    attempt = caller.begin(run)
    await caller.server.begun.wait()
    attempt.stop(reason)
    assert attempt.task is not None
    await asyncio.wait([attempt.task])
    assert (await Runs(caller.database).get("ann", run.id)).status == status


async def test_what_may_have_had_an_effect_is_not_made_again(calling: Any) -> None:
    caller = calling("heard")
    for request, asked in ((AUDIO, 1), ({"call": "add_feedback", "item_ids": [], "kind": "positive"}, 1)):
        run = await caller.admitted(request)
        assert await Runs(caller.database).hand_over(run)
        second = (await Runs(caller.database).claim(run.id, "another")).run
        assert second.attempt == 2
        await caller.ended(second)
        assert caller.server.asked == asked


async def test_a_call_that_asks_a_model_keeps_what_it_took_and_asks_once_in_all_its_attempts(calling: Any) -> None:
    runner.install(idle_timeout=30)
    usage = Usage(requests=1, input_tokens=10, output_tokens=5, total_tokens=15)
    model = ScriptedModel([ModelStep(output=[assistant_message("heard")], usage=usage)])
    caller = calling()

    async def transcribe(*_: Any) -> TranscriptionResult:
        said = (await Runner.run(Agent("ear", model=model), "listen")).final_output
        if len(attempts) == 1:
            raise asyncio.CancelledError
        return TranscriptionResult(text=said)

    caller.server.transcribe = transcribe
    try:
        attempts = [await caller.admitted(AUDIO)]
        first = caller.begin(attempts[0])
        await asyncio.wait([first.task])
        attempts.append(await superseded(caller.database, attempts[0]))
        run = await caller.ended(attempts[1])
    finally:
        set_default_agent_runner(AgentRunner())
    assert (run.status, run.result) == (RunStatus.COMPLETED, {"text": "heard"})
    assert run.usage == {"requests": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
