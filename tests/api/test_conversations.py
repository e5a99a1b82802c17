"""/api/conversations and /api/tasks, over HTTP."""

import pytest

from shared import tasks
from shared.database import Database
from shared.runs import Runs, RunStatus
from tests.api.conftest import Api
from tests.rows import answer, claimed, queued, row_of, save

pytestmark = pytest.mark.anyio


async def test_conversations_are_listed_newest_first_in_pages(api: Api, database: Database) -> None:
    made = [(await queued(database)).conversation_id for _ in range(3)]
    async with api.client() as client:
        first = (await client.get("/api/conversations?limit=2")).json()
        assert [one["id"] for one in first["data"]] == made[:0:-1]
        assert (first["has_more"], first["after"]) == (True, made[1])
        rest = (await client.get(f"/api/conversations?limit=2&after={first['after']}")).json()
        assert [one["id"] for one in rest["data"]] == made[:1]
        assert (rest["has_more"], rest["after"]) == (False, None)


@pytest.mark.parametrize("limit", ["-1", "0", "1000000000"])
async def test_any_limit_is_made_a_sensible_one(api: Api, database: Database, limit: str) -> None:
    await queued(database)
    async with api.client() as client:
        assert len((await client.get(f"/api/conversations?limit={limit}")).json()["data"]) == 1


async def test_one_conversation_shows_who_answers_it_and_how_the_last_answer_ended(
    api: Api, database: Database, runs: Runs
) -> None:
    run = await claimed(database)
    async with api.client() as client:
        told = (await client.get(f"/api/conversations/{run.conversation_id}")).json()
        assert told["active_run"]["id"] == run.id
        await runs.finish(run, RunStatus.FAILED, error={"code": "stream.error"})
        told = (await client.get(f"/api/conversations/{run.conversation_id}")).json()
    assert set(told) == {"id", "title", "status", "created_at", "updated_at", "active_run", "last_run"}
    assert (told["status"], told["active_run"], told["last_run"]["status"]) == ("active", None, "failed")


async def test_its_messages_are_in_order(api: Api, database: Database) -> None:
    run = await claimed(database, "question")
    await save(database, run, answer("answer", run))
    async with api.client() as client:
        page = (await client.get(f"/api/conversations/{run.conversation_id}/messages")).json()
    told = [(message["role"], message["type"], message["content"]) for message in page["data"]]
    assert told == [("user", "user_message", "question"), ("assistant", "assistant_message", "answer")]
    assert set(page["data"][0]) == {"id", "type", "role", "content", "tool_calls", "created_at"}
    assert (page["has_more"], page["after"]) == (False, None)


async def test_a_title_is_changed_if_it_is_one(api: Api, database: Database) -> None:
    path = f"/api/conversations/{(await queued(database)).conversation_id}"
    async with api.client() as client:
        assert (await client.patch(path, json={"title": "  Milk  "})).json()["title"] == "Milk"
        for bad in ("", "   ", "x" * 100_000, "a\x00b", 7, None):
            refused = await client.patch(path, json={"title": bad})
            assert (refused.status_code, refused.json()["type"]) == (422, "invalid")
        found = (await client.get("/api/conversations?q=mil")).json()
    assert [one["title"] for one in found["data"]] == ["Milk"]


async def test_deleting_ends_its_answer_and_takes_it_away(api: Api, database: Database) -> None:
    run = await queued(database)
    path = f"/api/conversations/{run.conversation_id}"
    async with api.client() as client:
        assert (await client.delete(path)).json() == {"status": "deleted"}
        assert (await client.get(path)).status_code == 404
        assert (await client.delete(path)).status_code == 404
    assert await database.across_users.all("SELECT 1 FROM runs", {}) == []


async def test_another_users_conversation_looks_like_none(api: Api, database: Database) -> None:
    run = await queued(database)
    async with api.client("bob") as client:
        for conversation_id in (run.conversation_id, "thr_unknown"):
            path = f"/api/conversations/{conversation_id}"
            answers = [
                await client.get(path),
                await client.get(f"{path}/messages"),
                await client.patch(path, json={"title": "mine"}),
                await client.delete(path),
            ]
            assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
        assert (await client.get("/api/conversations")).json()["data"] == []
    assert (await row_of(database, run))["status"] == "queued"


async def test_the_todo_list_is_ones_own(api: Api, database: Database) -> None:
    async with database.across_users.connection() as connection:
        await tasks.add(connection, "ann", "milk")
        await tasks.add(connection, "bob", "theirs")
    async with api.client() as client:
        [task] = (await client.get("/api/tasks")).json()
    assert set(task) == {"id", "title", "completed", "created_at"}
    assert (task["title"], task["completed"]) == ("milk", False)
