"""What a worker counts: each attempt by how it ended, each run once, and what its users waited for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from agents import Agent, ModelResponse, Usage, function_tool
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ScriptedModel, assistant_message
from chatkit.types import ThreadMetadata, ThreadStreamEvent

from shared.database import Database
from shared.event_log import EventLog
from shared.queue import Queue
from shared.records import Delta, Event, Shorthand
from shared.runs import Claim
from shared.tables import Run
from tests.numbers import number
from tests.rows import claimed, superseded
from tests.waiting import until
from tests.worker.room import Place, half, place_of, server_of, speech
from tests.worker.seam import Attempt as AgentAttempt
from tests.worker.seam import calls_then_says, later, says
from worker import runner
from worker.bounds import Bounds
from worker.conversation_store import ConversationStore
from worker.metrics import Outcome, WorkerMeter
from worker.slots import Attempt
from worker.stop import StopReason
from worker.wiring import execute

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _seam() -> Iterator[None]:
    runner.install(idle_timeout=30)
    yield
    set_default_agent_runner(AgentRunner())


@pytest.fixture
async def place(database: Database, event_log: EventLog, queue: Queue) -> AsyncIterator[Place]:
    """A worker whose server says hello."""

    async def hello(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in speech(thread, "hello there"):
            yield event

    async with place_of(database, event_log, queue, server_of(database, hello)) as made:
        yield made


class Waiting:
    """A server that says half a sentence and waits."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def respond(self, thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in half(thread, "half a sentence"):
            yield event
        self.told.set()
        await asyncio.Event().wait()


def begun(place: Place, run: Run) -> Attempt:
    """The run in a slot, as a claim starts it."""
    attempt = Attempt(Claim(run), float("inf"))
    attempt.task = asyncio.create_task(execute(place.room, attempt))
    return attempt


async def over(attempt: Attempt) -> None:
    assert attempt.task is not None
    await asyncio.wait([attempt.task])


async def first(database: Database, run: Run) -> AgentAttempt:
    """An attempt without a journal behind it."""
    return AgentAttempt(database, run)


async def opened(database: Database, event_log: EventLog) -> Run:
    """A claimed run whose log the admission has begun."""
    run = await claimed(database)
    await event_log.begin(run.id, attempt=0, generation=1, expires_at=run.deadline.timestamp(), records=[])
    return run


def outcomes(place: Place) -> dict[Outcome, float]:
    """How the attempts have ended, by how many."""
    seen = {outcome: number(place.room.meter, "attempts_ended_total", outcome=outcome) for outcome in Outcome}
    return {outcome: count for outcome, count in seen.items() if count}


async def test_an_answer_is_counted_once_with_what_its_user_waited_for(
    place: Place, database: Database, event_log: EventLog
) -> None:
    await over(begun(place, await opened(database, event_log)))
    meter = place.room.meter
    assert outcomes(place) == {"ended": 1}
    assert number(meter, "claims_total", kind="respond") == 1
    assert number(meter, "recoveries_total") == 0
    assert number(meter, "runs_ended_total", kind="respond", status="completed", by="worker") == 1
    for waited_for in ("claim_wait_seconds", "first_event_seconds", "first_text_seconds"):
        assert number(meter, f"{waited_for}_count") == 1
    claimed_after = number(meter, "claim_wait_seconds_sum")
    assert 0 < claimed_after <= number(meter, "first_event_seconds_sum") <= number(meter, "first_text_seconds_sum") < 60
    assert claimed_after <= number(meter, "run_seconds_sum", kind="respond") < 60


@pytest.mark.parametrize(
    ("reason", "outcome"), [(StopReason.LEASE_LOST, "lease_lost"), (StopReason.SHUTDOWN, "handed_over")]
)
async def test_an_attempt_that_is_stopped_ends_no_run(
    place: Place, database: Database, event_log: EventLog, reason: StopReason, outcome: str
) -> None:
    server = Waiting()
    attempt = begun(place.answering(server.respond), await opened(database, event_log))
    await server.told.wait()
    attempt.stop(reason)
    await over(attempt)
    assert outcomes(place) == {outcome: 1}
    assert number(place.room.meter, "runs_ended_total", kind="respond", status="cancelled", by="worker") == 0


async def test_a_recovery_is_no_second_wait_for_the_first_word(
    place: Place, database: Database, event_log: EventLog
) -> None:
    run = await opened(database, event_log)
    await over(begun(place, await superseded(database, run)))
    assert number(place.room.meter, "recoveries_total") == 1
    assert number(place.room.meter, "claim_wait_seconds_count") == 0
    assert number(place.room.meter, "first_text_seconds_count") == 0


async def test_an_attempt_that_postgres_refuses_is_counted_as_fenced(
    place: Place, database: Database, event_log: EventLog
) -> None:
    run = await opened(database, event_log)

    async def taken_over(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        await superseded(database, run)
        async for event in speech(thread, "hello there"):
            yield event

    await over(begun(place.answering(taken_over), run))
    assert outcomes(place) == {"superseded": 1}
    assert number(place.room.meter, "fenced_writes_total", at="postgres") == 1


async def test_an_attempt_that_the_log_refuses_is_counted_as_fenced(
    place: Place, database: Database, event_log: EventLog
) -> None:
    run, server = await opened(database, event_log), Waiting()
    attempt = begun(place.answering(server.respond), run)
    await server.told.wait()
    assert attempt.current is not None
    await event_log.open(run.id, 2)
    attempt.current.say(Event(simple=(b"{}",)))
    await until(lambda: number(place.room.meter, "fenced_writes_total", at="log") == 1)
    attempt.stop(StopReason.USER)
    await over(attempt)
    assert outcomes(place) == {"superseded": 1}
    assert number(place.room.meter, "fenced_writes_total", at="postgres") == 0


async def test_an_attempt_under_which_postgres_fails_is_counted_as_abandoned(
    place: Place, database: Database, database_url: str, event_log: EventLog
) -> None:
    async with Database(database_url) as closed:
        pass

    async def load(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        await ConversationStore(closed).load_thread(thread.id, None)
        yield  # type: ignore[misc]

    await over(begun(place.answering(load), await opened(database, event_log)))
    assert outcomes(place) == {"abandoned": 1}


async def test_an_error_of_ours_is_counted_as_one(place: Place, database: Database, event_log: EventLog) -> None:
    run = await opened(database, event_log)
    run.conversation_id = None
    await over(begun(place, run))
    assert sum(outcomes(place).values()) == 1


def test_the_first_text_is_listened_for_no_longer_than_until_it_is_heard() -> None:
    meter = WorkerMeter()
    heard = meter.first_words(lambda: 1.5)
    event, text = map(Shorthand().encode, (Event(b'{"type":"progress_update"}'), Delta("msg_1", 0, b'"hello"')))
    assert [heard([event]), heard([event]), heard([event, text])] == [False, False, True]
    assert number(meter, "first_event_seconds_count") == number(meter, "first_text_seconds_count") == 1
    assert number(meter, "first_text_seconds_sum") == 1.5


async def test_tokens_are_counted_when_a_model_has_answered_and_not_when_its_answer_is_replayed(
    database: Database,
) -> None:
    usage = Usage(requests=1, input_tokens=7, output_tokens=3, total_tokens=10)
    model = ScriptedModel([ModelResponse([assistant_message("hi", item_id="msg_a")], usage, "resp_1")])
    run, meter = await claimed(database), WorkerMeter()
    for begin in (first, later):
        attempt = await begin(database, run)
        attempt.current.meter = meter
        await attempt.ask(Agent("a", model=model))
    assert number(meter, "tokens_total", kind="input") == 7
    assert number(meter, "tokens_total", kind="output") == 3
    assert number(meter, "model_call_seconds_count") == 1


async def test_a_model_that_fails_is_counted_by_its_error(database: Database) -> None:
    attempt = AgentAttempt(database, await claimed(database))
    with pytest.raises(Exception, match="broke off"):
        await attempt.ask(Agent("a", model=ScriptedModel([[]])))
    assert number(attempt.current.meter, "model_errors_total", error="ModelIncomplete") == 1
    assert number(attempt.current.meter, "model_call_seconds_count") == 0


async def test_a_tool_is_counted_by_what_came_of_it_and_a_replay_is_no_run(database: Database) -> None:
    @function_tool
    async def work() -> str:
        return "done"

    @function_tool(failure_error_function=None)
    async def broken() -> str:
        raise ZeroDivisionError

    run, meter = await claimed(database), WorkerMeter()
    attempt = AgentAttempt(database, run)
    attempt.current.meter = meter
    await attempt.ask(Agent("a", model=calls_then_says("work"), tools=[work]))
    await database.across_users.run("DELETE FROM run_steps WHERE n = 1", {})
    second = await later(database, run)
    second.current.meter = meter
    await second.ask(Agent("a", model=says("done"), tools=[work]))
    failing = AgentAttempt(database, await claimed(database))
    failing.current.meter = meter
    with pytest.raises(Exception, match="broken"):
        await failing.ask(Agent("a", model=calls_then_says("broken"), tools=[broken]))
    seen: dict[Any, float] = {
        (tool, outcome): number(meter, "tool_calls_total", tool=tool, outcome=outcome)
        for tool in ("work", "broken")
        for outcome in ("finished", "replayed", "raised")
    }
    assert {key: count for key, count in seen.items() if count} == {
        ("work", "finished"): 1,
        ("work", "replayed"): 1,
        ("broken", "raised"): 1,
    }
    assert number(meter, "tool_seconds_count", tool="work") == 1


async def test_a_tool_that_is_given_up_is_counted_as_timed_out_and_not_as_finished(database: Database) -> None:
    @function_tool
    async def hanging() -> str:
        await asyncio.Event().wait()
        return "never"

    attempt = AgentAttempt(database, await claimed(database))
    attempt.current.bounds = Bounds(tool_timeout=0.05)
    await attempt.ask(Agent("a", model=calls_then_says("hanging"), tools=[hanging]))
    meter = attempt.current.meter
    assert number(meter, "tool_calls_total", tool="hanging", outcome="timed_out") == 1
    assert number(meter, "tool_calls_total", tool="hanging", outcome="finished") == 0
