"""The todo list: rows of one user's own."""

import pytest

from shared import tasks
from shared.database import Database, Row

pytestmark = pytest.mark.anyio


async def added(database: Database, user_id: str, *titles: str) -> list[Row]:
    async with database.across_users.connection() as connection:
        return [await tasks.add(connection, user_id, title) for title in titles]


async def test_tasks_are_listed_in_the_order_of_their_making(database: Database) -> None:
    await added(database, "ann", "milk", "bread", "eggs")
    assert [row["title"] for row in await tasks.of_user(database, "ann")] == ["milk", "bread", "eggs"]


async def test_a_task_is_renamed_completed_and_deleted(database: Database) -> None:
    [task] = await added(database, "ann", "milk")
    async with database.across_users.connection() as connection:
        renamed = await tasks.rename(connection, "ann", task["id"], "oat\x00 milk")
        done = await tasks.complete(connection, "ann", task["id"])
        assert renamed is not None
        assert done is not None
        assert (renamed["title"], renamed["completed"]) == ("oat\ufffd milk", False)
        assert (done["title"], done["completed"]) == ("oat\ufffd milk", True)
        assert await tasks.delete(connection, "ann", task["id"]) is not None
        assert await tasks.delete(connection, "ann", task["id"]) is None
    assert await tasks.of_user(database, "ann") == []


async def test_another_users_task_is_neither_seen_nor_changed(database: Database) -> None:
    [task] = await added(database, "bob", "theirs")
    async with database.across_users.connection() as connection:
        assert await tasks.rename(connection, "ann", task["id"], "mine") is None
        assert await tasks.complete(connection, "ann", task["id"]) is None
        assert await tasks.delete(connection, "ann", task["id"]) is None
    assert await tasks.of_user(database, "ann") == []
    assert [row["title"] for row in await tasks.of_user(database, "bob")] == ["theirs"]


async def test_a_task_is_shown_without_its_owner(database: Database) -> None:
    [task] = await added(database, "ann", "milk")
    shown = tasks.public(task)
    assert list(shown) == ["id", "title", "completed", "created_at"]
    assert shown["created_at"] == task["created_at"].isoformat()
