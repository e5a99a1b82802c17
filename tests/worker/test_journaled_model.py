"""The model under the journal: asked once, nothing of it shown as done before it is recorded, said again the same."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from agents import Agent, ModelSettings, RunConfig
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call

from shared.database import Database
from shared.errors import StaleAttempt
from tests.rows import claimed, superseded
from tests.worker.asking import completed
from tests.worker.seam import Attempt, calls_then_says, later, says, silent
from worker import runner
from worker.checked_model import CheckedModel, ModelIncomplete
from worker.journal import Journal
from worker.journaled_model import JournaledModel, JournalMismatch

pytestmark = pytest.mark.anyio

CALL: tuple[Any, ...] = (None, "hello", ModelSettings(), [], None, [], None)


@pytest.fixture(autouse=True)
def _seam() -> Iterator[None]:
    runner.install(idle_timeout=30)
    yield
    set_default_agent_runner(AgentRunner())


class Gate(Journal):
    """Records a step only when it is let."""

    let = asyncio.Event()

    async def record_step(self, *step: Any) -> None:
        await self.let.wait()
        await super().record_step(*step)


def journaled(attempt: Attempt, agent: Agent[Any], config: RunConfig | None = None) -> JournaledModel:
    """The model of the attempt's first `Runner` call, with the agent whose turn it is."""
    model = JournaledModel(attempt.journal, "1", config or RunConfig(), attempt.current, idle_timeout=30)
    model.turn_of(agent)
    return model


def asked(model: JournaledModel) -> AsyncIterator[Any]:
    return model.stream_response(*CALL, previous_response_id=None, conversation_id=None, prompt=None)


async def types_of(model: JournaledModel) -> list[str]:
    return [event.type async for event in asked(model)]


async def test_text_is_shown_at_once_and_nothing_is_done_before_it_is_recorded(database: Database) -> None:
    attempt = Attempt(database, await claimed(database))
    attempt.current.journal = attempt.journal = journal = Gate(database, attempt.current)
    journal.let = asyncio.Event()
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async for event in asked(journaled(attempt, Agent("a", model=says("hello")))):
            heard.put_nowait(event.type)

    listening = asyncio.create_task(listen())
    before = []
    while "response.output_text.done" not in before:
        before.append(await heard.get())
    assert "response.output_text.delta" in before
    assert not {"response.output_item.done", "response.completed"} & set(before)
    journal.let.set()
    await listening
    after = [heard.get_nowait() for _ in range(heard.qsize())]
    assert after[-2:] == ["response.output_item.done", "response.completed"]


async def test_a_superseded_attempt_shows_nothing_as_done(database: Database) -> None:
    run = await claimed(database)
    await superseded(database, run)
    attempt, seen = Attempt(database, run), []
    with suppress(StaleAttempt):
        async for event in asked(journaled(attempt, Agent("a", model=says("late")))):
            seen.append(event.type)
    assert "response.output_item.done" not in seen
    assert isinstance(attempt.current.failure, StaleAttempt)


async def test_a_later_attempt_says_it_again_without_asking(database: Database) -> None:
    run = await claimed(database)
    first = await types_of(journaled(Attempt(database, run), Agent("a", model=says("hello"))))
    again = await types_of(journaled(await later(database, run), Agent("a", model=silent())))
    assert set(again) <= set(first)
    assert again[-1] == "response.completed"


@pytest.mark.parametrize(
    "changed",
    [
        lambda agent: agent.clone(instructions="another prompt"),
        lambda agent: agent.clone(name="another name"),
        lambda agent: agent.clone(output_type=int),
        lambda agent: agent.clone(handoffs=[Agent("new")]),
        lambda agent: agent.clone(tools=[Agent("new").as_tool("new", "new")]),
    ],
    ids=["instructions", "name", "output", "handoffs", "tools"],
)
async def test_another_question_than_the_recorded_one_is_never_answered_by_it(database: Database, changed: Any) -> None:
    run, agent = await claimed(database), Agent("a", instructions="a prompt", model=says("hello"))
    await Attempt(database, run).ask(agent)
    with pytest.raises(JournalMismatch):
        await (await later(database, run)).ask(changed(agent.clone(model=silent())))


async def test_the_same_question_with_another_model_is_the_same_question(database: Database) -> None:
    run = await claimed(database)
    await Attempt(database, run).ask(Agent("a", model=says("hello")))
    result = await (await later(database, run)).ask(Agent("a", model=silent(), model_settings=ModelSettings(top_p=0.5)))
    assert result.final_output == "hello"


async def test_a_conversation_of_several_turns_is_said_again_whole(database: Database) -> None:
    """Each turn's input holds what was said again before it: to the letter, or it were another question."""
    run = await claimed(database)

    def agent(model: Any) -> Agent[Any]:
        helper = Agent("helper", model=says("the helper's word") if model else silent())
        return Agent("a", model=model or silent(), tools=[helper.as_tool("help", "helps")])

    steps = [[function_call("help", {"input": "x"}, call_id=f"call_{turn}")] for turn in range(1)]
    model = ScriptedModel([*steps, [assistant_message("done")]])
    assert (await Attempt(database, run).ask(agent(model))).final_output == "done"
    assert (await (await later(database, run)).ask(agent(None))).final_output == "done"


async def test_the_configurations_model_wins_over_the_agents(database: Database) -> None:
    attempt = Attempt(database, await claimed(database))
    config = RunConfig(model=says("from the configuration"))
    result = await attempt.ask(Agent("a", model=silent()), run_config=config)
    assert result.final_output == "from the configuration"


async def test_a_handoff_asks_the_next_agents_own_model(database: Database) -> None:
    attempt = Attempt(database, await claimed(database))
    second = Agent("second", model=says("from the second"))
    first = ScriptedModel([[function_call("transfer_to_second", {}, call_id="call_1")]])
    result = await attempt.ask(Agent("first", model=first, handoffs=[second]))
    assert (result.final_output, result.last_agent.name) == ("from the second", "second")


async def test_a_whole_response_goes_through_the_same_journal(database: Database) -> None:
    run = await claimed(database)
    model = journaled(Attempt(database, run), Agent("a", model=says("hello")))
    first = await model.get_response(*CALL, previous_response_id=None, conversation_id=None, prompt=None)
    replay = journaled(await later(database, run), Agent("a", model=silent()))
    again = await replay.get_response(*CALL, previous_response_id=None, conversation_id=None, prompt=None)
    assert [item.model_dump() for item in again.output] == [item.model_dump() for item in first.output]


async def test_a_model_of_a_teams_own_is_checked_too(database: Database) -> None:
    """Half an answer is none, and is not recorded."""
    attempt = Attempt(database, await claimed(database))
    cut = ScriptedModel([ModelStep.stream([])])
    with pytest.raises(ModelIncomplete):
        await types_of(journaled(attempt, Agent("a", model=cut)))
    assert await database.across_users.all("SELECT 1 FROM run_steps", {}) == []


async def test_what_a_model_leaves_out_of_its_end_is_taken_from_what_it_has_done(database: Database) -> None:
    events = [event async for event in says("hello").stream_response(*CALL[:6], _disabled(), **_nothing())]
    events[-1] = completed()
    attempt = Attempt(database, await claimed(database))
    bare = ScriptedModel([ModelStep.stream(events)])
    said = [event async for event in asked(journaled(attempt, Agent("a", model=bare)))]
    assert said[-1].response.output[0].content[0].text == "hello"


async def test_a_draining_worker_pauses_before_it_asks_and_not_where_it_only_repeats(database: Database) -> None:
    run = await claimed(database)
    await types_of(journaled(Attempt(database, run), Agent("a", model=says("hello"))))
    attempt, paused = await later(database, run), []
    attempt.current.on_pause_point = lambda: paused.append(1)
    await types_of(journaled(attempt, Agent("a", model=silent())))
    assert paused == []
    asking = journaled(attempt, Agent("a", model=calls_then_says("x")))
    asking.turn_of(Agent("a", model=says("more")))
    await types_of(asking)
    assert paused == [1]


async def test_what_the_sdk_asks_of_a_model_the_agents_own_answers(database: Database) -> None:
    class Special(ScriptedModel):
        supports_something = "yes"

    attempt = Attempt(database, await claimed(database))
    checked = CheckedModel(Special([]), idle_timeout=1)
    assert journaled(attempt, Agent("a", model=checked))._inner() is checked
    with pytest.raises(AttributeError):
        _ = JournaledModel(attempt.journal, "1", RunConfig(), attempt.current, idle_timeout=1).anything


def _disabled() -> Any:
    from agents import ModelTracing

    return ModelTracing.DISABLED


def _nothing() -> dict[str, None]:
    return dict.fromkeys(("previous_response_id", "conversation_id", "prompt"))
