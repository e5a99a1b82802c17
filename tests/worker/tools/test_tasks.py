"""The todo list's tools: on the rows of the run's own user, each with its record in one transaction."""

from contextlib import suppress
from typing import Any

import pytest
from agents import Agent
from agents.testing import ScriptedModel, assistant_message, function_call

from shared.context import RequestContext
from shared.database import Database
from shared.errors import StaleAttempt
from shared.identity import Principal
from shared.tasks import of_user
from tests.rows import claimed, superseded
from tests.worker.seam import Attempt
from worker import runner
from worker.current_run import CurrentRun
from worker.journal import Journal, Place
from worker.tools.tasks import MAX_TITLE, TaskTools

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _seam() -> None:
    runner.install(idle_timeout=30)


async def use(database: Database, name: str, *, user: str = "ann", **arguments: Any) -> Any:
    """What the tool answers."""
    attempt = Attempt(database, await claimed(database, user_id=user))
    attempt.context.request_context = RequestContext(Principal(user))
    model = ScriptedModel([[function_call(name, arguments, call_id="call_1")], [assistant_message("done")]])
    await attempt.ask(Agent("a", model=model, tools=TaskTools(database).all()))
    [call] = attempt.current.take_tool_calls()
    return call["result"]


async def titles(database: Database, user: str = "ann") -> list[str]:
    return [row["title"] for row in await of_user(database, user)]


async def test_a_list_is_kept(database: Database) -> None:
    milk = await use(database, "add_task", title=" milk ")
    assert (milk["title"], milk["completed"]) == ("milk", False)
    assert (await use(database, "update_task", task_id=milk["id"], title="oat milk"))["title"] == "oat milk"
    assert (await use(database, "complete_task", task_id=milk["id"]))["completed"] is True
    assert [task["title"] for task in await use(database, "list_tasks")] == ["oat milk"]
    assert (await use(database, "delete_task", task_id=milk["id"]))["id"] == milk["id"]
    assert await use(database, "list_tasks") == []


async def test_another_users_task_is_not_there(database: Database) -> None:
    theirs = await use(database, "add_task", user="bob", title="theirs")
    for name, more in (("update_task", {"title": "mine"}), ("complete_task", {}), ("delete_task", {})):
        assert "error" in await use(database, name, task_id=theirs["id"], **more)
    assert await use(database, "list_tasks") == []
    assert await titles(database, "bob") == ["theirs"]


@pytest.mark.parametrize("title", ["", "   ", "x" * (MAX_TITLE + 1)])
async def test_a_title_that_is_none_is_refused(database: Database, title: str) -> None:
    assert "error" in await use(database, "add_task", title=title)
    assert await titles(database) == []


async def test_what_a_superseded_attempt_adds_is_not_added(database: Database) -> None:
    """The task and the journal's record of the call are one transaction."""
    run = await claimed(database)
    attempt = Attempt(database, run)
    attempt.current.journal = attempt.journal = LosesItsRun(database, attempt.current)
    attempt.context.request_context = RequestContext(Principal("ann"))
    model = ScriptedModel([[function_call("add_task", {"title": "late"}, call_id="call_1")]])
    with suppress(Exception):
        await attempt.ask(Agent("a", model=model, tools=TaskTools(database).all()))
    assert isinstance(attempt.current.failure, StaleAttempt)
    assert await titles(database) == []
    [call] = await database.across_users.all("SELECT outcome FROM tool_calls", {})
    assert call["outcome"] is None


class LosesItsRun(Journal):
    """Another attempt takes over just when a tool has begun."""

    def __init__(self, database: Database, current: CurrentRun) -> None:
        super().__init__(database, current)
        self._database = database

    async def begin(self, place: Place, name: str) -> bool:
        begun = await super().begin(place, name)
        await superseded(self._database, self._current.run)
        return begun
