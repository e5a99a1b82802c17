"""Conversations: found by their owner alone, listed in order, their fields written one by one."""

import pytest

from shared import conversations
from shared.conversations import Conversations
from shared.database import Database
from shared.errors import NotFound, StaleAttempt
from shared.ids import new_id
from shared.runs import RunKind, Runs, RunStatus
from tests.rows import claimed, queued, superseded, writer_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def all_of(database: Database) -> Conversations:
    return Conversations(database)


async def made(database: Database, *titles: str | None, user_id: str = "ann") -> list[str]:
    """Conversations with these titles, the oldest first."""
    ids = [new_id("thr") for _ in titles]
    for conversation_id, title in zip(ids, titles, strict=True):
        async with database.across_users.transaction() as connection:
            await conversations.insert(connection, user_id, conversation_id)
        if title is not None:
            await Conversations(database).rename(user_id, conversation_id, title)
    return ids


async def test_a_new_conversation_is_active_untitled_and_empty(database: Database, all_of: Conversations) -> None:
    [conversation_id] = await made(database, None)
    row = await all_of.get_with_runs("ann", conversation_id)
    assert (row["title"], row["status"], row["metadata"]) == (None, {"type": "active"}, {})
    assert (row["active_run"], row["last_run"]) == (None, None)


async def test_another_users_conversation_is_not_there(database: Database, all_of: Conversations) -> None:
    [theirs] = await made(database, "theirs", user_id="bob")
    for conversation_id in (theirs, new_id("thr")):
        for attempt in (
            all_of.get("ann", conversation_id),
            all_of.get_with_runs("ann", conversation_id),
            all_of.rename("ann", conversation_id, "mine"),
            all_of.delete("ann", conversation_id),
            all_of.page("ann", limit=9, after=conversation_id),
        ):
            with pytest.raises(NotFound):
                await attempt
        async with database.across_users.transaction() as connection:
            assert await (await conversations.lock(connection, "ann", conversation_id)).fetchone() is None
    assert await all_of.page("ann", limit=9) == ([], False)
    assert (await all_of.get("bob", theirs))["title"] == "theirs"


async def test_pages_are_newest_first_and_follow_on(database: Database, all_of: Conversations) -> None:
    ids = await made(database, "a", "b", "c")
    rows, more = await all_of.page("ann", limit=2)
    assert ([row["title"] for row in rows], more) == (["c", "b"], True)
    rows, more = await all_of.page("ann", limit=2, after=ids[1])
    assert ([row["title"] for row in rows], more) == (["a"], False)
    rows, _ = await all_of.page("ann", limit=9, order="asc", after=ids[0])
    assert [row["title"] for row in rows] == ["b", "c"]


async def test_titles_are_searched_to_the_letter(database: Database, all_of: Conversations) -> None:
    await made(database, "100% milk", "100 litres", "snake_case", "snakescase", "back\\slash", None)

    async def found(q: str) -> list[str]:
        return [row["title"] for row in (await all_of.page("ann", limit=9, order="asc", q=q))[0]]

    assert await found("MILK") == ["100% milk"]
    assert await found("0%") == ["100% milk"]
    assert await found("e_c") == ["snake_case"]
    assert await found("k\\s") == ["back\\slash"]
    assert len(await found("")) == 6


async def test_the_last_run_and_the_active_one_are_shown_and_calls_are_not(
    database: Database, all_of: Conversations, runs: Runs
) -> None:
    run = await claimed(database)
    call = await queued(database, conversation_id=run.conversation_id, kind=RunKind.CALL)
    row = await all_of.get_with_runs("ann", run.conversation_id or "")
    assert row["active_run"] == {"id": run.id, "kind": "respond", "status": "running"}
    await runs.finish(run, RunStatus.FAILED, error={"code": "stream.error"})
    row = await all_of.get_with_runs("ann", run.conversation_id or "")
    assert row["active_run"] is None
    assert row["last_run"]["id"] == run.id != call.id
    assert (row["last_run"]["status"], row["last_run"]["error"]) == ("failed", {"code": "stream.error"})


async def test_deleting_takes_everything_along(database: Database, all_of: Conversations) -> None:
    run = await claimed(database)
    await all_of.delete("ann", run.conversation_id or "")
    for table in ("conversations", "messages", "runs"):
        assert await database.across_users.one(f"SELECT count(*) AS left FROM {table}", {}) == {"left": 0}


async def test_only_the_fields_given_are_written(database: Database, all_of: Conversations) -> None:
    run = await claimed(database)
    conversation_id = run.conversation_id or ""
    await all_of.rename("ann", conversation_id, "by the user")
    async with database.across_users.connection() as connection:
        fields = {"metadata": {"a\x00": "\ud800"}, "status": {"type": "locked"}}
        await conversations.save_fields(connection, writer_of(run), conversation_id, fields)
    row = await all_of.get("ann", conversation_id)
    assert (row["title"], row["metadata"], row["status"]) == ("by the user", {"a\ufffd": "\ufffd"}, {"type": "locked"})
    async with database.across_users.connection() as connection:
        await conversations.save_fields(connection, writer_of(run), conversation_id, {"title": None})
    assert (await all_of.get("ann", conversation_id))["title"] is None


async def test_a_conversation_that_the_server_makes_is_its_users(database: Database, all_of: Conversations) -> None:
    run = await claimed(database)
    async with database.across_users.connection() as connection:
        await conversations.save_fields(connection, writer_of(run), "thr_new", {"title": "made by the server"})
    assert (await all_of.get("ann", "thr_new"))["title"] == "made by the server"


async def test_an_older_attempt_and_another_user_can_write_no_field(database: Database, all_of: Conversations) -> None:
    old, theirs = await claimed(database), await claimed(database, user_id="bob")
    await superseded(database, old)
    async with database.across_users.connection() as connection:
        for conversation_id in (old.conversation_id or "", "thr_new"):
            with pytest.raises(StaleAttempt):
                await conversations.save_fields(connection, writer_of(old), conversation_id, {"title": "late"})
        with pytest.raises(StaleAttempt):
            await conversations.save_fields(
                connection, writer_of(theirs), old.conversation_id or "", {"title": "taken over"}
            )
    assert (await all_of.get("ann", old.conversation_id or ""))["title"] is None
