"""The journal, by killing a worker at every step that it takes: no finished tool runs twice, nothing shows twice."""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from agents import Agent, FunctionTool, function_tool
from agents.items import TResponseOutputItem
from agents.run import AgentRunner, set_default_agent_runner
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from chatkit.types import ThreadStreamEvent

from shared.conversations import Conversations
from shared.database import Database
from shared.errors import StaleAttempt
from shared.event_log import EventLog
from shared.queue import Queue
from shared.records import Event
from shared.runs import Runs
from shared.tables import Run
from tests.rows import claimed, queued, requeued, row_of, superseded
from tests.worker.mortal import Lives, agent_server
from tests.worker.room import Place, place_of, server_of, texts
from worker import runner
from worker.bounds import Bounds
from worker.current_run import CurrentRun
from worker.effects import idempotency_key, keyed
from worker.journal import Journal
from worker.journaled_tool import OUTCOME_UNKNOWN
from worker.metrics import WorkerMeter
from worker.sweeper import Sweeper

pytestmark = pytest.mark.anyio

Declared = Callable[[Any], Any]


def undeclared(tool: Any) -> Any:
    """A tool that says nothing of itself."""
    return tool


@pytest.fixture(autouse=True)
def _seam() -> Iterator[None]:
    runner.install(idle_timeout=30)
    yield
    set_default_agent_runner(AgentRunner())


class Shop:
    """Agents that charge three times: twice in parallel, then once more; and who counts what was charged.

    The model is asked anew like a real one: each answer's call ids are its own.
    """

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self.asked: list[int] = []
        self.charged: list[tuple[int, str]] = []

    @property
    def times(self) -> Counter[int]:
        """How often each amount was charged."""
        return Counter(amount for amount, _ in self.charged)

    @property
    def on_the_bill(self) -> Counter[int]:
        """What another side that heeds idempotency keys has charged."""
        return Counter(amount for amount, _ in set(self.charged))

    def plain(self) -> Agent[Any]:
        """One agent with the tool."""
        return Agent("till", model=self._model(), tools=[self._charge()])

    def handing_off(self) -> Agent[Any]:
        """An agent that leaves it to the one with the tool."""
        return Agent("greeter", model=self._hand_off(), handoffs=[self.plain()])

    def with_an_agent_as_tool(self) -> Agent[Any]:
        """An agent whose tool is the one with the tool."""
        tool = self.plain().as_tool("pay", "pays")
        return Agent("desk", model=self._use("pay"), tools=[tool])

    def _charge(self) -> FunctionTool:
        @function_tool
        @self._declared
        async def charge(amount: int) -> str:
            self.charged.append((amount, idempotency_key()))
            return f"charged {amount}"

        return charge  # type: ignore[no-any-return]

    def _model(self) -> ScriptedModel:
        def say(call: ModelCall) -> list[TResponseOutputItem]:
            turn = sum(1 for item in call.input if item.get("type") == "function_call_output" and _charged(item))
            self.asked.append(turn)
            match turn:
                case 0:
                    return [self._call(1), self._call(2)]
                case 2:
                    return [self._call(3)]
                case _:
                    return [assistant_message("All is paid.")]

        return ScriptedModel(ModelStep.respond(say) for _ in range(3))

    def _hand_off(self) -> ScriptedModel:
        return ScriptedModel([[function_call("transfer_to_till", {}, call_id=self._fresh())]])

    def _use(self, tool: str) -> ScriptedModel:
        def say(call: ModelCall) -> list[TResponseOutputItem]:
            if any(item.get("type") == "function_call_output" for item in call.input):
                return [assistant_message("All is paid.")]
            return [function_call(tool, {"input": "all of it"}, call_id=self._fresh())]

        return ScriptedModel(ModelStep.respond(say) for _ in range(2))

    def _call(self, amount: int) -> TResponseOutputItem:
        return function_call("charge", {"amount": amount}, call_id=self._fresh())

    def _fresh(self) -> str:
        self._calls = getattr(self, "_calls", 0) + 1
        return f"call_{self._calls}"


def _charged(item: dict[str, Any]) -> bool:
    return str(item["output"]).startswith("charged") or item["output"] == OUTCOME_UNKNOWN


STATUS = {"completed": "completed", "failed": "failed", "cancelled while it waits": "cancelled", "swept": "failed"}
PAID = Counter({1: 1, 2: 1, 3: 1})
SHAPES = {
    "parallel tools": Shop.plain,
    "a handoff": Shop.handing_off,
    "an agent as a tool": Shop.with_an_agent_as_tool,
}


class Trial:
    """One run per trial, with a shop of its own."""

    def __init__(self, url: str, database: Database, event_log: EventLog, queue: Queue) -> None:
        self._url, self.database, self.event_log, self._queue = url, database, event_log, queue

    def lives(self, build_agent: Callable[[], Agent[Any]]) -> Lives:
        return Lives(self._url, self.database, self.event_log, self._queue, agent_server(build_agent))

    async def admitted(self) -> Run:
        run = await queued(self.database)
        expires_at = run.deadline.timestamp()
        await self.event_log.begin(run.id, attempt=0, generation=1, expires_at=expires_at, records=[])
        return run

    async def carry_out(self, run: Run, *, fails: bool) -> None:
        """The run's next attempt, by a server that asks no model."""

        async def say(*_: object) -> AsyncIterator[ThreadStreamEvent]:
            if fails:
                raise ZeroDivisionError
            return
            yield

        async with place_of(self.database, self.event_log, self._queue, server_of(self.database, say)) as place:
            await place.carry_out((await Runs(self.database).claim(run.id, "w")).run)

    async def sweep(self) -> None:
        await Sweeper(self.database, self.event_log, self._queue, WorkerMeter()).sweep()

    async def status(self, run: Run) -> str:
        return str((await row_of(self.database, run))["status"])

    async def unknown(self, run: Run) -> set[int]:
        """The amounts of the calls whose outcome nobody knows."""
        sql = (
            "SELECT 2 * n + index + 1 AS amount FROM tool_calls WHERE run_id = %(id)s AND outcome->>'result' = %(said)s"
        )
        return {
            row["amount"] for row in await self.database.across_users.all(sql, {"id": run.id, "said": OUTCOME_UNKNOWN})
        }

    async def steps(self, shape: str) -> int:
        """How many steps an attempt takes that does not die."""
        mortal = await self.lives(lambda: SHAPES[shape](Shop(keyed))).live(await self.admitted())
        return mortal.steps


@pytest.fixture
def trial(database_url: str, database: Database, event_log: EventLog, queue: Queue) -> Trial:
    return Trial(database_url, database, event_log, queue)


async def told(place: Place, run: Run, kind: str) -> list[dict[str, Any]]:
    """The frames of this kind in the simple dialect."""
    events = [record for record in await place.said(run) if isinstance(record, Event)]
    frames = [json.loads(part) for event in events for part in event.simple]
    return [frame for frame in frames if frame["type"] == kind]


async def assert_answered_once(place: Place, run: Run) -> None:
    """The whole answer is shown once and is what is stored; each tool call was told once."""
    fold = await place.shown(run)
    assert fold.open_ids() == []
    assert texts(fold) == ["All is paid."]
    assert {item["id"]: item for item in fold.items()} == await place.stored(run)
    for kind in ("tool_call", "tool_result"):
        assert len([frame for frame in await told(place, run, kind) if frame["name"] == "charge"]) == 3


@pytest.mark.parametrize("shape", SHAPES)
async def test_killed_at_any_step_each_tool_has_its_effect_once_and_the_answer_is_shown_once(
    trial: Trial, shape: str
) -> None:
    last = await trial.steps(shape)
    assert last > 20
    for dies_at in range(1, last + 1):
        shop, run = Shop(keyed), await trial.admitted()
        lives = trial.lives(lambda shop=shop: SHAPES[shape](shop))  # type: ignore[misc]
        dead = await lives.live(run, dies_at=dies_at)
        assert dead.dead
        await lives.live(run)
        where = f"killed at step {dies_at}"
        assert (await trial.status(run), shop.on_the_bill) == ("completed", PAID), where
        assert len(shop.asked) <= 4, where
        assert lives.place is not None
        await assert_answered_once(lives.place, run)


async def test_killed_at_any_step_a_tool_that_declares_nothing_is_begun_once_at_most(trial: Trial) -> None:
    for dies_at in range(1, await trial.steps("parallel tools") + 1):
        shop, run = Shop(undeclared), await trial.admitted()
        lives = trial.lives(shop.plain)
        await lives.live(run, dies_at=dies_at)
        await lives.live(run)
        assert await trial.status(run) == "completed"
        assert max(shop.times.values()) == 1, f"killed at step {dies_at}"
        unknown = await trial.unknown(run)
        assert set(shop.times) | unknown == {1, 2, 3}, f"killed at step {dies_at}"


@pytest.mark.parametrize("seed", range(3))
async def test_killed_again_and_again_the_run_still_gets_there(trial: Trial, seed: int) -> None:
    chance = random.Random(seed)
    shop, run = Shop(keyed), await trial.admitted()
    lives = trial.lives(shop.with_an_agent_as_tool)
    for _ in range(6):
        await lives.live(run, dies_at=chance.randint(5, 25))
        if await trial.status(run) == "completed":
            break
    if await trial.status(run) != "completed":
        await lives.live(run)
    assert (await trial.status(run), shop.on_the_bill) == ("completed", PAID)
    assert lives.place is not None
    await assert_answered_once(lives.place, run)


async def test_without_what_the_journal_holds_the_tools_would_run_again(trial: Trial) -> None:
    """The control: the same death, and a journal that has forgotten."""
    for forgetful, times in ((False, 1), (True, 2)):
        shop, run = Shop(undeclared), await trial.admitted()
        lives = trial.lives(shop.plain)
        await lives.live(run, dies_at=await trial.steps("parallel tools") - 4)
        assert shop.times == PAID
        if forgetful:
            await trial.database.across_users.run("DELETE FROM tool_calls", {})
        await lives.live(run)
        assert shop.times == Counter({1: times, 2: times, 3: times})


async def test_another_question_than_was_recorded_fails_the_run_and_answers_nothing(trial: Trial) -> None:
    shop, run = Shop(undeclared), await trial.admitted()
    await trial.lives(shop.plain).live(run, dies_at=await trial.steps("parallel tools") - 4)
    changed = trial.lives(lambda: shop.plain().clone(instructions="another prompt, after a deploy"))
    await changed.live(run)
    assert changed.place is not None
    fold = await changed.place.shown(run)
    assert (await trial.status(run), fold.error, texts(fold)) == ("failed", True, [])
    assert shop.times == PAID


async def test_an_older_attempt_can_record_nothing(trial: Trial) -> None:
    old = await claimed(trial.database)
    await superseded(trial.database, old)
    for write in (
        lambda journal, place: journal.record_step("1", 0, "f", {}),
        lambda journal, place: journal.begin(place, "charge"),
        lambda journal, place: journal.finish(place, {"result": "late"}),
    ):
        current = CurrentRun(old, say=lambda _: None)
        journal = Journal(trial.database, current)
        journal.learn_calls("1", 0, ["call_1"])
        place = journal.place("1", "call_1")
        with pytest.raises(StaleAttempt):
            await write(journal, place)
        assert isinstance(current.failure, StaleAttempt)
    assert await trial.database.across_users.all("SELECT 1 FROM run_steps UNION SELECT 1 FROM tool_calls", {}) == []


async def test_no_tool_begins_once_a_stop_was_asked_for(trial: Trial) -> None:
    run = await claimed(trial.database)
    await Runs(trial.database).request_cancel("ann", run.id)
    journal = Journal(trial.database, CurrentRun(run, say=lambda _: None))
    journal.learn_calls("1", 0, ["call_1"])
    place = journal.place("1", "call_1")
    assert place is not None
    assert not await journal.begin(place, "charge")
    assert await trial.database.across_users.all("SELECT 1 FROM tool_calls", {}) == []


async def test_places_are_counted_and_never_named_by_a_providers_ids(trial: Trial) -> None:
    run = await claimed(trial.database)

    def journal_of(call_ids: list[str]) -> Journal:
        journal = Journal(trial.database, CurrentRun(run, say=lambda _: None))
        journal.learn_calls("1", 0, call_ids)
        return journal

    first, again = journal_of(["a", "b"]), journal_of(["x", "y"])
    keys = [first.place("1", "a"), first.place("1", "b")]
    assert keys == [again.place("1", "x"), again.place("1", "y")]
    assert len({place.key for place in keys if place}) == 2
    assert first.place("1", "never asked for") is None
    assert first.place("2", "a") is None


async def test_paths_of_runner_calls_are_counted_below_their_parent(trial: Trial) -> None:
    journal = Journal(trial.database, CurrentRun(await claimed(trial.database), say=lambda _: None))
    paths = [journal.next_path(parent) for parent in ("", "", "1/0.0", "1/0.0", "1/0.1")]
    assert paths == ["1", "2", "1/0.0/1", "1/0.0/2", "1/0.1/1"]


async def test_what_cannot_be_stored_is_recorded_cleaned(trial: Trial) -> None:
    run = await claimed(trial.database)
    journal = Journal(trial.database, CurrentRun(run, say=lambda _: None))
    assert journal.empty
    await journal.record_step("1", 0, "f", {"b": "\x00", "a": "\ud800"})
    await journal.load()
    assert not journal.empty
    step = journal.step("1", 0)
    assert step is not None
    assert list(step["response"].items()) == [("b", "\ufffd"), ("a", "\ufffd")]


async def spent(database: Database) -> dict[str, int]:
    return {row["user_id"]: row["tokens"] for row in await database.across_users.all("SELECT * FROM daily_tokens", {})}


async def test_what_a_response_took_is_counted_once_where_its_users_day_is_bounded(trial: Trial) -> None:
    run = await claimed(trial.database)
    journal = Journal(trial.database, CurrentRun(run, say=lambda _: None, bounds=Bounds(counts_tokens=True)))
    await journal.record_step("1", 0, "f", {"usage": {"total_tokens": 7}}, 7)
    await journal.record_step("1", 1, "f", {}, 5)
    unbounded = Journal(trial.database, CurrentRun(run, say=lambda _: None))
    await unbounded.record_step("2", 0, "f", {"usage": {"total_tokens": 100}}, 100)
    assert await spent(trial.database) == {"ann": 12}
    await superseded(trial.database, run)
    with pytest.raises(StaleAttempt):
        await journal.record_step("1", 2, "f", {}, 9)
    assert await spent(trial.database) == {"ann": 12}


async def test_what_a_deleted_conversation_took_stays_counted(trial: Trial) -> None:
    run = await claimed(trial.database)
    journal = Journal(trial.database, CurrentRun(run, say=lambda _: None, bounds=Bounds(counts_tokens=True)))
    await journal.record_step("1", 0, "f", {}, 7)
    await Conversations(trial.database).delete("ann", run.conversation_id or "")
    assert await spent(trial.database) == {"ann": 7}


@pytest.mark.parametrize("ends", ["completed", "failed", "cancelled while it waits", "swept"])
async def test_a_run_has_what_all_its_attempts_took_however_it_ends(trial: Trial, ends: str) -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    run = await trial.admitted()
    first = (await Runs(trial.database).claim(run.id, "w")).run
    await Journal(trial.database, CurrentRun(first, say=lambda _: None)).record_step("1", 0, "f", {"usage": usage})
    await requeued(trial.database, first)
    if ends == "cancelled while it waits":
        await Runs(trial.database).request_cancel("ann", run.id)
    elif ends == "swept":
        await trial.database.across_users.run("UPDATE runs SET deadline = created_at", {})
        await trial.sweep()
    else:
        await trial.carry_out(run, fails=ends == "failed")
    row = await row_of(trial.database, run)
    assert (row["status"], row["usage"]) == (STATUS[ends], {"requests": 1, **usage})
