"""Tools under the journal: a finished call answers to the letter, an unfinished one as it has declared."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from agents import Agent, Runner, ToolOutputText, function_tool
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ScriptedModel, assistant_message, function_call
from chatkit.agents import AgentContext, ClientToolCall
from chatkit.types import ProgressUpdateEvent
from pydantic import BaseModel

from shared.database import Database
from shared.runs import Runs
from tests.rows import claimed, superseded
from tests.worker.seam import Attempt, calls_then_says, later, outputs, silent
from worker import runner
from worker.bounds import Bounds
from worker.effects import idempotency_key, idempotent, keyed
from worker.journaled_tool import OUTCOME_UNKNOWN, TOOK_TOO_LONG, journaled

pytestmark = pytest.mark.anyio


class Point(BaseModel):
    x: int


RESULTS: list[Any] = [
    "text",
    '{"already": "json"}',
    "a NUL \x00 and half a pair \ud800",
    7,
    None,
    True,
    [],
    {"a": [1, 2.5, None]},
    {1: "a key that is no string"},
    [("a", "pair")],
    {"when": datetime(2026, 1, 1)},
    Point(x=1),
    [Point(x=1)],
    {"type": "text", "text": "structured"},
    ToolOutputText(text="structured"),
    [ToolOutputText(text="structured"), ToolOutputText(text="twice")],
]


@pytest.fixture(autouse=True)
def _seam() -> Iterator[None]:
    runner.install(idle_timeout=30)
    yield
    set_default_agent_runner(AgentRunner())


class Counted:
    """A tool that counts how often it ran, and the first time never ends."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._begun = asyncio.Event()

    def tool(self, declared: Any = lambda tool: tool) -> Any:
        @function_tool(name_override="work")
        @declared
        async def work() -> str:
            self.keys.append(idempotency_key())
            if len(self.keys) == 1:
                self._begun.set()
                await asyncio.Event().wait()
            return f"run {len(self.keys)}"

        return work

    async def half_done(self, database: Database, declared: Any) -> Attempt:
        """The attempt after one that was stopped while the tool ran."""
        run = await claimed(database)
        attempt = Attempt(database, run)
        agent = Agent("a", model=calls_then_says("work"), tools=[self.tool(declared)])
        asking = asyncio.create_task(attempt.ask(agent))
        await self._begun.wait()
        for result in attempt.current.results:
            result.cancel()
        asking.cancel()
        await asyncio.wait([asking])
        return await later(database, await superseded(database, run))


@pytest.mark.parametrize("result", RESULTS, ids=str)
async def test_a_result_is_said_again_in_the_words_that_the_model_was_sent(database: Database, result: Any) -> None:
    def agent(model: Any) -> Agent[Any]:
        @function_tool
        async def work() -> Any:
            return result

        return Agent("a", model=model, tools=[work])

    run, first = await claimed(database), calls_then_says("work")
    await Attempt(database, run).ask(agent(first))
    assert (await (await later(database, run)).ask(agent(silent()))).final_output == "done"
    await database.across_users.run("DELETE FROM run_steps WHERE n = 1", {})
    again = calls_then_says("work")
    again._steps.pop(0)
    await (await later(database, run)).ask(agent(again))
    assert outputs(again) == outputs(first)


async def test_a_finished_tool_does_to_its_run_what_it_did(database: Database) -> None:
    ran: list[int] = []

    def agent(model: Any) -> Agent[AgentContext[Any]]:
        @function_tool
        async def work(context: runner.RunContextWrapper[AgentContext[Any]]) -> str:
            ran.append(1)
            await context.context.stream(ProgressUpdateEvent(text="working"))
            context.context.client_tool_call = ClientToolCall(name="open", arguments={"a": 1})
            context.context.thread.title = "named by the tool"
            context.context.thread.metadata["seen"] = True
            return "result"

        return Agent("a", model=model, tools=[work])

    run = await claimed(database)
    first = Attempt(database, run)
    await first.ask(agent(calls_then_says("work")))
    second = await later(database, run)
    await second.ask(agent(silent()))
    assert ran == [1]
    for attempt in (first, second):
        assert [event.text for event in attempt.events] == ["working"]
        assert attempt.context.client_tool_call == ClientToolCall(name="open", arguments={"a": 1})
        assert (attempt.context.thread.title, attempt.context.thread.metadata) == ("named by the tool", {"seen": True})


async def test_tools_that_run_at_once_keep_what_each_has_said(database: Database) -> None:
    together = asyncio.Barrier(2)

    def agent(model: Any) -> Agent[AgentContext[Any]]:
        def tool(name: str) -> Any:
            async def work(context: runner.RunContextWrapper[AgentContext[Any]]) -> str:
                await together.wait()
                await context.context.stream(ProgressUpdateEvent(text=name))
                await together.wait()
                return f"result of {name}"

            return function_tool(work, name_override=name)

        return Agent("a", model=model, tools=[tool("one"), tool("two")])

    run = await claimed(database)
    await Attempt(database, run).ask(agent(calls_then_says("one", "two")))
    rows = await database.across_users.all("SELECT name, outcome FROM tool_calls ORDER BY index", {})
    kept = [
        (row["name"], row["outcome"]["result"], [event["text"] for event in row["outcome"]["events"]]) for row in rows
    ]
    assert kept == [("one", "result of one", ["one"]), ("two", "result of two", ["two"])]


async def test_a_tool_that_declares_nothing_is_not_repeated_and_the_model_is_told(database: Database) -> None:
    counted = Counted()
    attempt = await counted.half_done(database, lambda tool: tool)
    model = calls_then_says("work")
    model._steps.pop(0)
    await attempt.ask(Agent("a", model=model, tools=[counted.tool()]))
    assert len(counted.keys) == 1
    assert outputs(model) == [OUTCOME_UNKNOWN]


@pytest.mark.parametrize("declared", [idempotent, keyed])
async def test_a_tool_that_may_be_repeated_is_under_the_same_key(database: Database, declared: Any) -> None:
    counted = Counted()
    attempt = await counted.half_done(database, declared)
    model = calls_then_says("work")
    model._steps.pop(0)
    await attempt.ask(Agent("a", model=model, tools=[counted.tool(declared)]))
    assert len(counted.keys) == 2
    assert len(set(counted.keys)) == 1
    assert outputs(model) == ["run 2"]


async def test_no_tool_starts_once_a_stop_was_asked_for_and_the_attempt_hears_of_it(
    database: Database, runs: Runs
) -> None:
    counted, run = Counted(), await claimed(database)
    attempt, heard = Attempt(database, run), asyncio.Event()
    attempt.current.on_stop_asked = heard.set
    await runs.request_cancel("ann", run.id)
    asking = asyncio.create_task(attempt.ask(Agent("a", model=calls_then_says("work"), tools=[counted.tool()])))
    async with asyncio.timeout(30):
        await heard.wait()
    asking.cancel()
    await asyncio.wait([asking])
    assert counted.keys == []


async def test_outside_a_run_a_wrapped_tool_is_what_it_was(database: Database) -> None:
    ran: list[int] = []

    @function_tool
    async def work() -> str:
        ran.append(1)
        return "result"

    journaled(work)
    wrapped = work.on_invoke_tool
    journaled(work)
    assert work.on_invoke_tool is wrapped
    for _ in range(2):
        result = Runner.run_streamed(Agent("a", model=calls_then_says("work"), tools=[work]), "go")
        async for _event in result.stream_events():
            pass
    assert ran == [1, 1]
    assert await database.across_users.all("SELECT 1 FROM tool_calls", {}) == []


async def test_a_tool_that_fails_is_recorded_as_the_model_was_told(database: Database) -> None:
    ran: list[int] = []

    def agent(model: Any) -> Agent[Any]:
        @function_tool
        async def work() -> str:
            ran.append(1)
            raise ValueError("no such thing")

        return Agent("a", model=model, tools=[work])

    run = await claimed(database)
    first = calls_then_says("work")
    await Attempt(database, run).ask(agent(first))
    await (await later(database, run)).ask(agent(silent()))
    assert ran == [1]
    assert "error occurred" in str(outputs(first))


async def first_and_later(database: Database, tool: Callable[[], Any], **bounds: Any) -> tuple[list[Any], Attempt]:
    """What the model was told of one call of the tool, and the attempt; a later one is answered by the journal."""
    run, model = await claimed(database), calls_then_says("work")
    attempt = Attempt(database, run)
    attempt.current.bounds = Bounds(**bounds)
    await attempt.ask(Agent("a", model=model, tools=[tool()]))
    assert (await (await later(database, run)).ask(Agent("a", model=silent(), tools=[tool()]))).final_output == "done"
    return outputs(model), attempt


async def test_a_tool_that_takes_too_long_is_cancelled_and_its_run_goes_on(database: Database) -> None:
    ended: list[bool] = []

    def hanging() -> Any:
        @function_tool(name_override="work")
        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        return work

    told, _ = await first_and_later(database, hanging, tool_timeout=0.05)
    assert told == [TOOK_TOO_LONG.format(seconds=0.05)]
    assert ended == [True]


async def test_a_tool_in_a_thread_is_left_behind_and_its_run_goes_on(database: Database) -> None:
    let, ended = threading.Event(), threading.Event()

    def sleeping() -> Any:
        @function_tool(name_override="work")
        def work() -> str:
            let.wait(30)
            ended.set()
            return "too late"

        return work

    try:
        told, _ = await first_and_later(database, sleeping, tool_timeout=0.05)
        assert told == [TOOK_TOO_LONG.format(seconds=0.05)]
        assert not ended.is_set()
    finally:
        let.set()


@pytest.mark.parametrize(("own", "told"), [(0.05, "timed out after 0.05 seconds"), (30.0, "took its time")])
async def test_a_tools_own_timeout_is_the_one_that_counts_and_its_end_is_recorded(
    database: Database, own: float, told: str
) -> None:
    def slow() -> Any:
        @function_tool(name_override="work", timeout=own)
        async def work() -> str:
            try:
                async with asyncio.timeout(0.3):
                    await asyncio.Event().wait()
            except TimeoutError:
                pass
            return "took its time"

        return work

    [said], _ = await first_and_later(database, slow, tool_timeout=0.1)
    assert told in said


async def test_a_tools_own_timeout_holds_outside_a_run(database: Database) -> None:
    @function_tool(timeout=0.05)
    async def work() -> None:
        await asyncio.Event().wait()

    journaled(work)
    model = calls_then_says("work")
    result = Runner.run_streamed(Agent("a", model=model, tools=[work]), "go")
    async for _event in result.stream_events():
        pass
    assert outputs(model) == ["Tool 'work' timed out after 0.05 seconds."]


async def test_a_tools_own_failure_to_wait_is_none_of_ours(database: Database) -> None:
    def failing() -> Any:
        @function_tool(name_override="work")
        async def work() -> str:
            raise TimeoutError("of the other side")

        return work

    [said], _ = await first_and_later(database, failing, tool_timeout=30)
    assert "given up" not in said


async def test_an_agent_that_is_a_tool_has_its_own_models_and_tools_bounded_instead(database: Database) -> None:
    def agent_tool() -> Any:
        @function_tool
        async def inner() -> None:
            await asyncio.Event().wait()

        agent = Agent("inner", model=calls_then_says("inner", text="could not wait"), tools=[inner])
        return agent.as_tool("work", "works")

    run = await claimed(database)
    attempt = Attempt(database, run)
    attempt.current.bounds = Bounds(tool_timeout=0.05)
    call = [function_call("work", {"input": "x"}, call_id="call_0")]
    model = ScriptedModel([call, [assistant_message("done")]])
    await attempt.ask(Agent("a", model=model, tools=[agent_tool()]))
    assert outputs(model) == ["could not wait"]


async def test_of_ten_megabytes_the_model_the_journal_and_the_reader_are_given_the_beginning(
    database: Database,
) -> None:
    def huge() -> Any:
        @function_tool(name_override="work")
        async def work() -> str:
            return "x" * 10_000_000

        return work

    [said], attempt = await first_and_later(database, huge, max_tool_output=1000)
    assert said.startswith("x" * 1000 + "\n[Cut here: the whole output has 10000000 characters")
    row = await database.across_users.one("SELECT outcome::text AS outcome FROM tool_calls", {})
    assert row is not None
    assert len(row["outcome"]) < 1200
    assert all(len(part) < 1200 for record in attempt.said for part in record.simple)  # type: ignore[union-attr]
    assert [call["result"] for call in attempt.current.take_tool_calls()] == [said]
