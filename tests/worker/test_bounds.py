"""What bounds a run of any server: it ends in a sentence, with a code that says which bound it was, and as stored."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import Agent, Runner, function_tool
from agents.exceptions import MaxTurnsExceeded
from agents.items import TResponseOutputItem
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ModelStep, ScriptedModel, function_call
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import ThreadMetadata, ThreadStreamEvent

from shared.bounds import Bound
from shared.database import Database
from shared.event_log import EventLog
from shared.queue import Queue
from shared.records import Event
from shared.settings import Settings
from shared.tables import Run
from tests.rows import claimed, queued, row_of
from tests.worker.carrying import todo_server
from tests.worker.mortal import Lives, agent_server
from tests.worker.room import Place, place_of, server_of, speech, texts
from worker import runner
from worker.bounds import Bounds
from worker.effects import keyed
from worker.stop import StopReason, tell_only_of_stop

pytestmark = pytest.mark.anyio

Answering = Callable[..., Any]


@pytest.fixture(autouse=True)
def _seam() -> Iterator[None]:
    runner.install(idle_timeout=30)
    yield
    set_default_agent_runner(AgentRunner())


class Tireless:
    """A model that calls the tool in each of its responses, `at_once` times; and what the tool has done."""

    def __init__(self, tool: str = "work", *, at_once: int = 1, **arguments: str) -> None:
        self._tool, self._at_once, self._arguments = tool, at_once, arguments
        self.asked = 0
        self.done: list[int] = []
        self.model = ScriptedModel(ModelStep.respond(self._respond) for _ in range(200))

    def _respond(self, _: Any) -> list[TResponseOutputItem]:
        self.asked += 1
        names = [f"call_{self.asked}_{number}" for number in range(self._at_once)]
        return [function_call(self._tool, self._arguments, call_id=name) for name in names]

    def agent(self) -> Agent[Any]:
        @function_tool(name_override=self._tool)
        @keyed
        async def work() -> str:
            self.done.append(self.asked)
            return f"done {len(self.done)}"

        return Agent("tireless", model=self.model, tools=[work])


@pytest.fixture
async def answering(database: Database, event_log: EventLog, queue: Queue) -> Answering:
    """Carries one run out by this server, within these bounds; the place and the run."""

    async def answer(server: ChatKitServer[Any], **bounds: Any) -> tuple[Place, Run]:
        run = await claimed(database)
        expires_at = run.deadline.timestamp()
        await event_log.begin(run.id, attempt=0, generation=1, expires_at=expires_at, records=[])
        async with place_of(database, event_log, queue, server, Bounds(**bounds)) as place:
            await place.carry_out(run)
        return place, run

    return answer


def plain_server(database: Database, agent: Agent[Any], **how: Any) -> ChatKitServer[Any]:
    """A team's own server, as the SDK's documentation writes one."""

    async def respond(thread: ThreadMetadata, _: Any, context: Any) -> AsyncIterator[ThreadStreamEvent]:
        agent_context: AgentContext[Any] = AgentContext(thread=thread, store=server.store, request_context=context)
        result = Runner.run_streamed(agent, "go", context=agent_context, **how)
        async for event in stream_agent_response(agent_context, result):
            yield event

    server = server_of(database, respond)
    return server


async def assert_ended_by(bound: Bound, place: Place, run: Run) -> None:
    """Failed with its code; its sentence is the one error in both dialects; what is shown is what is stored."""
    row = await row_of(place.room.database, run)
    assert (row["status"], row["error"]) == ("failed", {"code": bound.value})
    said = [record for record in await place.said(run) if isinstance(record, Event)]
    errors = [event for event in map(_chatkit, said) if event.get("type") == "error"]
    assert errors == [{"type": "error", "code": "custom", "message": bound.sentence, "allow_retry": True}]
    frames = [json.loads(frame) for record in said for frame in record.simple]
    assert frames[-1] == {"type": "error", "message": bound.sentence}
    fold = await place.shown(run)
    assert fold.open_ids() == []
    assert {item["id"]: item for item in fold.items()} == await place.stored(run)


def _chatkit(record: Event) -> dict[str, Any]:
    return dict(json.loads(record.chatkit)) if record.chatkit else {}


@pytest.mark.parametrize(
    ("asked_for", "turns"),
    [({}, 3), ({"max_turns": 12}, 3), ({"max_turns": None}, 3), ({"max_turns": 2}, 2)],
    ids=["says nothing", "asks for more", "asks for no bound", "asks for fewer"],
)
async def test_any_servers_runner_calls_have_as_many_turns_as_the_worker_allows_or_fewer(
    database: Database, answering: Answering, asked_for: dict[str, Any], turns: int
) -> None:
    tireless = Tireless()
    place, run = await answering(plain_server(database, tireless.agent(), **asked_for), max_turns=3)
    assert tireless.asked == turns
    await assert_ended_by(Bound.TURNS, place, run)


async def test_a_call_that_is_not_streamed_is_bounded_too(database: Database, answering: Answering) -> None:
    tireless = Tireless()

    async def respond(*_: object) -> AsyncIterator[ThreadStreamEvent]:
        await Runner.run(tireless.agent(), "go", max_turns=None)
        return
        yield

    place, run = await answering(server_of(database, respond), max_turns=3)
    assert tireless.asked == 3
    await assert_ended_by(Bound.TURNS, place, run)


async def test_the_default_server_has_the_same_bounds(
    database: Database, answering: Answering, openai_settings: Settings, tmp_path: Path
) -> None:
    for bounds, bound, asked in (
        ({"max_turns": 4}, Bound.TURNS, 4),
        ({"max_tool_calls": 12}, Bound.TOOL_CALLS, 13),
    ):
        tireless = Tireless("list_tasks")
        server = todo_server(database, openai_settings, tmp_path, wrap=lambda _, model=tireless.model: model)
        tell_only_of_stop(server)
        place, run = await answering(server, **bounds)
        assert tireless.asked == asked
        await assert_ended_by(bound, place, run)
        await server.models.close()


async def test_a_team_that_answers_for_itself_when_turns_are_used_up_is_let(
    database: Database, answering: Answering
) -> None:
    async def respond(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        try:
            await Runner.run(Tireless().agent(), "go")
        except MaxTurnsExceeded:
            async for event in speech(thread, "I could not find out."):
                yield event

    place, run = await answering(server_of(database, respond), max_turns=2)
    row = await row_of(database, run)
    assert (row["status"], row["error"]) == ("completed", None)
    assert texts(await place.shown(run)) == ["I could not find out."]


@pytest.mark.parametrize(("at_once", "done"), [(1, 5), (3, 3), (6, 0)])
async def test_of_a_response_whose_calls_would_be_too_many_none_is_made(
    database: Database, answering: Answering, at_once: int, done: int
) -> None:
    tireless = Tireless(at_once=at_once)
    place, run = await answering(plain_server(database, tireless.agent()), max_tool_calls=5)
    assert len(tireless.done) == done
    await assert_ended_by(Bound.TOOL_CALLS, place, run)


async def test_calls_of_an_agent_that_is_a_tool_count_for_the_run_and_end_it(
    database: Database, answering: Answering
) -> None:
    inner, outer = Tireless(), Tireless("delegate", input="all of it")
    agent = Agent("outer", model=outer.model, tools=[inner.agent().as_tool("delegate", "delegates")])
    place, run = await answering(plain_server(database, agent), max_tool_calls=5)
    assert (outer.asked, len(inner.done)) == (1, 4)
    await assert_ended_by(Bound.TOOL_CALLS, place, run)


async def test_an_attempt_that_died_does_not_give_its_run_new_calls(
    database_url: str, database: Database, event_log: EventLog, queue: Queue
) -> None:
    def lives_of(tireless: Tireless) -> Lives:
        build = agent_server(tireless.agent)
        return Lives(database_url, database, event_log, queue, build, Bounds(max_tool_calls=5))

    async def admitted() -> Run:
        run = await queued(database)
        expires_at = run.deadline.timestamp()
        await event_log.begin(run.id, attempt=0, generation=1, expires_at=expires_at, records=[])
        return run

    steps = (await lives_of(Tireless()).live(await admitted())).steps
    for dies_at in range(4, steps, 3):
        tireless, run = Tireless(), await admitted()
        lives = lives_of(tireless)
        await lives.live(run, dies_at=dies_at)
        await lives.live(run)
        calls = await database.across_users.one(
            "SELECT count(*) AS n FROM tool_calls WHERE run_id = %(id)s", {"id": run.id}
        )
        assert calls == {"n": 5}, f"killed at step {dies_at}"
        assert len(tireless.done) <= 6, f"killed at step {dies_at}"
        assert lives.place is not None
        await assert_ended_by(Bound.TOOL_CALLS, lives.place, run)


async def test_a_tool_that_ends_its_run_by_its_own_timeout_says_so(database: Database, answering: Answering) -> None:
    @function_tool(timeout=0.05, timeout_behavior="raise_exception")
    async def work() -> None:
        await asyncio.Event().wait()

    agent = Agent("a", model=Tireless().model, tools=[work])
    await assert_ended_by(Bound.TOOL_TIMEOUT, *await answering(plain_server(database, agent)))


async def test_what_a_run_took_is_kept_and_counted_for_its_user_though_it_failed(
    database: Database, answering: Answering
) -> None:
    server = plain_server(database, Tireless().agent())
    _, run = await answering(server, max_turns=3, counts_tokens=True)
    row = await row_of(database, run)
    assert (row["status"], row["usage"]["requests"]) == ("failed", 3)
    [spent] = await database.across_users.all("SELECT user_id, tokens FROM daily_tokens", {})
    assert spent["user_id"] == "ann"
    assert spent["tokens"] > 0


async def test_what_a_run_took_before_its_stop_is_kept_and_counted(
    database: Database, event_log: EventLog, queue: Queue
) -> None:
    begun = asyncio.Event()

    @function_tool
    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    async def respond(*_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for _event in Runner.run_streamed(Agent("a", model=Tireless().model, tools=[work]), "go").stream_events():
            pass
        return
        yield

    run, server = await claimed(database), server_of(database, respond)
    await event_log.begin(run.id, attempt=0, generation=1, expires_at=run.deadline.timestamp(), records=[])
    async with place_of(database, event_log, queue, server, Bounds(counts_tokens=True)) as place:
        attempt = place.begin(run)
        await begun.wait()
        await place.stop(attempt, StopReason.USER)
    row = await row_of(database, run)
    assert (row["status"], row["usage"]["requests"]) == ("cancelled", 1)
    assert await database.across_users.one("SELECT tokens > 0 AS counted FROM daily_tokens", {}) == {"counted": True}


def test_bounds_are_the_settings(settings_with: Callable[..., Settings]) -> None:
    wanted = {"max_turns": 1, "max_tool_calls": 2, "tool_timeout": 3.0, "max_tool_output": 4}
    assert Bounds.of(settings_with(**wanted)) == Bounds(**wanted)  # type: ignore[arg-type]
    assert Bounds.of(settings_with(max_tokens_per_day=1)).counts_tokens
