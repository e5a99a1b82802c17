"""How runs stand: asked for by many, answered by one query."""

import asyncio

import pytest

from api.watch import GONE, Watch
from shared.database import Database
from shared.runs import RunStatus
from shared.standings import Standing, Standings
from tests.rows import claimed, queued

pytestmark = pytest.mark.anyio


class Counting(Standings):
    """Counts its queries."""

    queries = 0

    async def of(self, run_ids: list[str]) -> dict[str, Standing]:
        self.queries += 1
        return await super().of(run_ids)


async def test_many_questions_of_a_moment_are_one_query(database: Database) -> None:
    runs, waiting, working = Counting(database), await queued(database), await claimed(database)
    watch = Watch(runs)
    asked = [waiting.id, working.id] * 20
    standings = await asyncio.gather(*(watch.look(run_id) for run_id in asked))
    assert [standing.status for standing in standings] == [RunStatus.QUEUED, RunStatus.RUNNING] * 20
    assert runs.queries == 1
    await watch.look(waiting.id)
    assert runs.queries == 2


async def test_a_run_that_is_gone_has_ended(database: Database) -> None:
    assert await Watch(Standings(database)).look("run_deleted") == GONE
    assert GONE.status.ended


async def test_a_failure_reaches_everyone_who_asked_and_the_next_one_asks_anew(
    database: Database, database_url: str
) -> None:
    async with Database(database_url) as closed:
        run = await queued(closed)
    watch = Watch(Standings(closed))
    results = await asyncio.gather(watch.look(run.id), watch.look("another"), return_exceptions=True)
    assert all(isinstance(result, Exception) for result in results)
    watch._standings = Standings(database)
    assert (await watch.look(run.id)).status is RunStatus.QUEUED


async def test_one_who_leaves_takes_nobodys_answer_along(database: Database) -> None:
    watch, run = Watch(Standings(database)), await queued(database)
    leaving, staying = asyncio.create_task(watch.look(run.id)), asyncio.create_task(watch.look(run.id))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).status is RunStatus.QUEUED
