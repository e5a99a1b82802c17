"""A worker's parts, put together: a ring becomes an answer, and two workers never share a run."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agents.run import AgentRunner, set_default_agent_runner

from shared.database import Database
from shared.loop_lag import LoopLag
from shared.runs import Claim, RunKind, Runs
from shared.settings import Settings
from tests.rows import claimed, queued, row_of, stored
from tests.values import settings_of
from worker.lease import Leases
from worker.server import UnusableServer
from worker.slots import Attempt, Slots
from worker.wiring import claiming, room_for, wired

pytestmark = pytest.mark.anyio


@pytest.fixture
def worker_settings(database_url: str, redis_url: str, tmp_path: Path) -> Callable[..., Settings]:
    def build(**values: Any) -> Settings:
        servers = {"database_url": database_url, "redis_url": redis_url, "attachments_dir": tmp_path}
        return settings_of(**{**servers, **values})

    return build


@pytest.fixture(autouse=True)
def _seam_is_left() -> Any:
    yield
    set_default_agent_runner(AgentRunner())


async def ended(database: Database, run: Any) -> str:
    while (row := await row_of(database, run))["status"] in ("queued", "running"):
        pass
    return str(row["status"])


async def test_a_claimed_run_is_answered_by_the_todo_agent(
    worker_settings: Callable[..., Settings], database: Database
) -> None:
    run = await queued(database, "add milk")
    async with wired(worker_settings()) as wiring:
        await claiming(Runs(database), wiring.slots, wiring.owner)(run.id)
        assert (await row_of(database, run))["owner"] == wiring.owner
        assert await ended(database, run) == "completed"
    assert [row["type"] for row in await stored(database, run)][-1] == "assistant_message"
    assert await database.across_users.one("SELECT title FROM tasks", {}) == {"title": "milk"}


async def test_someone_elses_run_is_left_alone(worker_settings: Callable[..., Settings], database: Database) -> None:
    theirs = await claimed(database)
    async with wired(worker_settings()) as wiring:
        claim = claiming(Runs(database), wiring.slots, wiring.owner)
        for run_id in (theirs.id, "run_unknown"):
            await claim(run_id)
        assert wiring.slots.attempts == []
    assert (await row_of(database, theirs))["owner"] == "w"


async def test_a_call_is_carried_out_as_one(worker_settings: Callable[..., Settings], database: Database) -> None:
    run = await queued(database, kind=RunKind.CALL, call="add_feedback", item_ids=[], kind_="x")
    async with wired(worker_settings()) as wiring:
        await claiming(Runs(database), wiring.slots, wiring.owner)(run.id)
        await ended(database, run)
    row = await row_of(database, run)
    assert row["error"] is not None
    assert row["error"]["code"] == "call-failed"


async def test_each_worker_has_a_name_of_its_own(worker_settings: Callable[..., Settings]) -> None:
    async with wired(worker_settings()) as one, wired(worker_settings()) as other:
        assert one.owner != other.owner


async def test_a_server_that_cannot_be_used_is_refused_at_the_start(worker_settings: Callable[..., Settings]) -> None:
    with pytest.raises(UnusableServer, match="no_such_module"):
        async with wired(worker_settings(chatkit_server="no_such_module:Server")):
            pass


async def test_everything_is_closed_at_the_end(worker_settings: Callable[..., Settings], database: Database) -> None:
    async def connections() -> int:
        row = await database.across_users.one(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()", {}
        )
        assert row is not None
        return int(row["n"])

    # The test's own pool has two at most, and may still be making the second.
    async with wired(worker_settings()):
        assert await connections() > 2
    async with asyncio.timeout(30):
        while await connections() > 2:
            pass


async def test_a_worker_whose_loop_lags_takes_no_more_runs_and_one_if_it_has_none(database: Database) -> None:
    async def work(_: Attempt) -> None:
        await asyncio.Event().wait()

    slots, lag = Slots(10, work, on_free=lambda: None), LoopLag()
    leases = Leases(database, slots)

    def room() -> int:
        return room_for(slots, leases, lag, max_lag=0.25)

    assert room() == 10
    lag.seconds = 0.26
    assert room() == 1
    slots.start(Claim(await claimed(database)), lease_until=0)
    assert room() == 0
    lag.seconds = 0.25
    assert room() == 9
    await slots.drain(patience=0, grace=5)
    assert room() == 0
