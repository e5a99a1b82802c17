"""A run by its id, over HTTP."""

import pytest

from shared.database import Database
from shared.runs import Runs, RunStatus
from tests.api.conftest import Api
from tests.rows import answer, claimed, queued, row_of, save

pytestmark = pytest.mark.anyio


async def test_a_run_is_told_as_its_record_has_it(api: Api, database: Database, runs: Runs) -> None:
    run = await claimed(database)
    await runs.finish(run, RunStatus.FAILED, usage={"requests": 1}, error={"code": "stream.error"})
    async with api.client() as client:
        told = (await client.get(f"/runs/{run.id}")).json()
    assert set(told) == {
        *("id", "conversation_id", "kind", "status", "attempt", "queue_position"),
        *("created_at", "started_at", "finished_at", "usage", "error"),
    }
    assert (told["status"], told["attempt"], told["queue_position"]) == ("failed", 1, None)
    assert (told["usage"], told["error"]) == ({"requests": 1}, {"code": "stream.error"})


async def test_a_waiting_run_knows_its_place(api: Api, database: Database) -> None:
    await queued(database, user_id="bob")
    run = await queued(database)
    async with api.client() as client:
        assert (await client.get(f"/runs/{run.id}")).json()["queue_position"] == 2


async def test_another_users_run_looks_like_none(api: Api, database: Database) -> None:
    run = await queued(database)
    async with api.client("bob") as client:
        for path in ("", "/events"):
            foreign, unknown = [await client.get(f"/runs/{run_id}{path}") for run_id in (run.id, "run_unknown")]
            assert foreign.status_code == unknown.status_code == 404
            assert foreign.json() == unknown.json()
        assert (await client.post(f"/runs/{run.id}/cancel")).status_code == 404
    assert (await row_of(database, run))["status"] == "queued"


async def test_stopping_is_accepted_as_often_as_one_likes(api: Api, database: Database) -> None:
    run = await queued(database)
    async with api.client() as client:
        answers = [await client.post(f"/runs/{run.id}/cancel") for _ in range(2)]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, {"status": "cancelled"})] * 2


async def test_events_are_given_after_the_cursor_and_the_header_wins(api: Api, database: Database, runs: Runs) -> None:
    run = await claimed(database)
    await save(database, run, answer("the answer", run))
    await runs.finish(run, RunStatus.COMPLETED)
    async with api.client() as client:
        events = await client.get(f"/runs/{run.id}/events")
        assert (events.status_code, events.headers["X-Run-Id"]) == (200, run.id)
        assert events.text.endswith(": end completed\n\n")
        refused = await client.get(f"/runs/{run.id}/events?after=1.1", headers={"Last-Event-ID": "nonsense"})
        assert (refused.status_code, refused.json()["type"]) == (400, "bad-cursor")
        assert (await client.get(f"/runs/{run.id}/events?after=x.1")).status_code == 400
        assert (await client.get(f"/runs/{run.id}/events?dialect=klingon")).status_code == 422
        simple = await client.get(f"/runs/{run.id}/events?dialect=simple")
        assert '{"type":"text","content":"the answer"}' in simple.text
