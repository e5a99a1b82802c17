"""The seam that every Runner call goes through: its tools told and kept, its tokens counted, its end at hand."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from agents import Agent, RunHooks, Runner, Usage, function_tool
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call

from shared.database import Database
from shared.records import Event
from tests.rows import claimed
from tests.worker.seam import Attempt, says
from worker import runner
from worker.current_run import CurrentRun
from worker.journaled_tool import path_of_task

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _seam() -> Iterator[None]:
    runner.install(idle_timeout=30)
    yield
    set_default_agent_runner(AgentRunner())


@pytest.fixture
async def attempt(database: Database) -> Attempt:
    return Attempt(database, await claimed(database))


def agent_with(result: Any, arguments: Any = "{}") -> Agent[Any]:
    """An agent that calls a tool with this result once."""

    async def work(amount: int = 0) -> Any:
        return result

    model = ScriptedModel([[function_call("work", arguments, call_id="call_1")], [assistant_message("done")]])
    return Agent("a", model=model, tools=[function_tool(work, strict_mode=False)])


def frames(attempt: Attempt) -> list[dict[str, Any]]:
    return [json.loads(part) for event in attempt.said if isinstance(event, Event) for part in event.simple]


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("words", "words"),
        ('{"title": "milk"}', {"title": "milk"}),
        (7, 7),
        ({"a": 1}, "{'a': 1}"),
        ("a NUL \x00", "a NUL \ufffd"),
    ],
)
async def test_a_tool_is_told_as_it_starts_and_as_it_ends_and_kept_for_its_message(
    attempt: Attempt, result: Any, told: Any
) -> None:
    await attempt.ask(agent_with(result, '{"amount": 3}'))
    [call, end] = frames(attempt)
    assert call == {"type": "tool_call", "name": "work", "args": {"amount": 3}}
    assert (end["type"], end["name"]) == ("tool_result", "work")
    assert str(end["result"]) == str(told)
    [kept] = attempt.current.take_tool_calls()
    assert (kept["name"], kept["args"], kept["result"]) == ("work", {"amount": 3}, end["result"])
    assert attempt.current.take_tool_calls() == []


async def test_tokens_of_all_calls_are_counted(attempt: Attempt) -> None:
    usage = Usage(requests=1, input_tokens=10, output_tokens=5, total_tokens=15)
    steps = [ModelStep(output=[assistant_message("x")], usage=usage) for _ in range(3)]
    model = ScriptedModel(steps)
    await attempt.ask(Agent("a", model=model))
    with attempt.underway():
        await Runner.run(Agent("b", model=model), "go")
    await attempt.ask(Agent("c", model=model))
    assert attempt.journal.usage == {
        "requests": 3,
        "input_tokens": 30,
        "output_tokens": 15,
        "total_tokens": 45,
    }


async def test_where_no_model_was_asked_there_is_no_usage(attempt: Attempt) -> None:
    assert attempt.journal.usage is None


async def test_every_streamed_result_can_be_cancelled(attempt: Attempt) -> None:
    result = await attempt.ask(Agent("a", model=says("x")))
    assert attempt.current.results == [result]


async def test_a_servers_own_hooks_are_called_as_before(attempt: Attempt) -> None:
    called: list[str] = []

    class Hooks(RunHooks[Any]):
        async def on_agent_start(self, *_: Any) -> None:
            called.append("agent start")

        async def on_llm_start(self, *_: Any) -> None:
            called.append("llm start")

        async def on_llm_end(self, *_: Any) -> None:
            called.append("llm end")

        async def on_tool_start(self, *_: Any) -> None:
            called.append("tool start")

        async def on_tool_end(self, *_: Any) -> None:
            called.append("tool end")

        async def on_agent_end(self, *_: Any) -> None:
            called.append("agent end")

    await attempt.ask(agent_with("x"), hooks=Hooks())
    turn = ["llm start", "llm end"]
    assert called == ["agent start", *turn, "tool start", "tool end", *turn, "agent end"]


async def test_each_runner_call_has_a_path_of_its_own_and_leaves_none_behind(
    attempt: Attempt, database: Database
) -> None:
    for _ in range(2):
        await attempt.ask(Agent("a", model=says("x")))
    with attempt.underway():
        await Runner.run(Agent("b", model=says("x")), "go")
    rows = await database.across_users.all("SELECT DISTINCT path FROM run_steps ORDER BY path", {})
    assert [row["path"] for row in rows] == ["1", "2", "3"]
    assert path_of_task.get() == ""


async def test_outside_a_run_everything_is_the_sdks(database: Database) -> None:
    model = ScriptedModel([[assistant_message("x")], [assistant_message("y")]])
    result = Runner.run_streamed(Agent("a", model=model), "go")
    async for _ in result.stream_events():
        pass
    assert result.final_output == "x"
    assert (await Runner.run(Agent("a", model=model), "go")).final_output == "y"
    assert await database.across_users.all("SELECT 1 FROM run_steps", {}) == []


async def test_arguments_that_are_no_json_are_told_as_none(attempt: Attempt) -> None:
    current = CurrentRun(attempt.current.run, say=attempt.said.append)
    assert current.take_tool_calls() == []
    assert runner._arguments(None) == {}  # type: ignore[arg-type]
