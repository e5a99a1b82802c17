"""What a tool declares of itself, and the one transaction of an effect and its record."""

from contextlib import suppress

import pytest
from agents import Agent, function_tool

from shared import tasks
from shared.database import Database
from shared.errors import StaleAttempt
from tests.rows import claimed, superseded
from tests.worker.seam import Attempt, calls_then_says
from worker.effects import (
    Effect,
    Invocation,
    current_invocation,
    effect_of,
    entering,
    finish_in,
    idempotency_key,
    idempotent,
    keyed,
    leaving,
)
from worker.journal import Place

pytestmark = pytest.mark.anyio


async def work() -> str:
    """Works."""
    return ""


def test_a_tool_that_says_nothing_is_not_repeatable() -> None:
    assert effect_of(function_tool(work)) is Effect.NOT_REPEATABLE


@pytest.mark.parametrize(("declare", "effect"), [(idempotent, Effect.IDEMPOTENT), (keyed, Effect.KEYED)])
def test_a_tool_or_its_function_may_declare(declare: object, effect: Effect) -> None:
    async def one() -> str:
        return ""

    async def two() -> str:
        return ""

    assert callable(declare)
    assert effect_of(function_tool(declare(one))) is effect
    assert effect_of(declare(function_tool(two))) is effect


def test_an_agent_as_a_tool_goes_on_from_its_own_journal() -> None:
    assert effect_of(Agent("a", model=calls_then_says()).as_tool("ask", "asks")) is Effect.IDEMPOTENT


def test_outside_a_tool_call_there_is_no_key() -> None:
    with pytest.raises(LookupError):
        idempotency_key()


async def test_the_key_is_the_places_while_the_call_lasts(database: Database) -> None:
    place = Place("run_1", "1", 0, 0)
    token = entering(Invocation(Attempt(database, await claimed(database)).journal, place))
    assert (current_invocation().place, idempotency_key()) == (place, place.key)
    leaving(token)
    with pytest.raises(LookupError):
        current_invocation()


async def test_outside_a_journaled_call_nothing_is_recorded_and_the_work_is_done(database: Database) -> None:
    async with database.across_users.transaction() as connection:
        await tasks.add(connection, "ann", "milk")
        await finish_in(connection, "result")
    assert len(await tasks.of_user(database, "ann")) == 1


async def test_an_effect_and_its_record_are_one(database: Database) -> None:
    """A superseded attempt's transaction fails as a whole: what it did is undone with its record."""
    old = await claimed(database)
    attempt = Attempt(database, old)
    journal = attempt.journal
    journal.learn_calls("1", 0, ["call_1", "call_2"])
    done, late = journal.place("1", "call_1"), journal.place("1", "call_2")
    assert done is not None
    assert late is not None
    assert await journal.begin(done, "add")
    assert await journal.begin(late, "add")
    token = entering(Invocation(journal, done))
    async with database.across_users.transaction() as connection:
        await tasks.add(connection, "ann", "in time")
        await finish_in(connection, "added")
    leaving(token)
    await superseded(database, old)
    token = entering(Invocation(journal, late))
    with suppress(StaleAttempt):
        async with database.across_users.transaction() as connection:
            await tasks.add(connection, "ann", "too late")
            await finish_in(connection, "added")
    leaving(token)
    assert isinstance(attempt.current.failure, StaleAttempt)
    assert [row["title"] for row in await tasks.of_user(database, "ann")] == ["in time"]
    rows = await database.across_users.all("SELECT outcome FROM tool_calls ORDER BY index", {})
    assert [row["outcome"] for row in rows] == [{"result": "added"}, None]
