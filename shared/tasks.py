"""The todo list that the default agent keeps: rows of one user's own."""

from typing import Any

from shared.database import Connection, Database, Row
from shared.ids import new_id
from shared.wire import clean_text

MAX_TASKS = 500


def public(row: Row) -> dict[str, Any]:
    """The task as it is shown: id, title, completed, created_at."""
    return {
        "id": row["id"],
        "title": row["title"],
        "completed": row["completed"],
        "created_at": row["created_at"].isoformat(),
    }


async def of_user(database: Database, user_id: str) -> list[Row]:
    """The user's tasks in the order of their making."""
    query = "SELECT * FROM tasks WHERE user_id = %(user_id)s ORDER BY created_at, id LIMIT %(limit)s"
    return await database.of(user_id).all(query, {"user_id": user_id, "limit": MAX_TASKS})


async def add(connection: Connection, user_id: str, title: str) -> Row:
    """A new task."""
    query = "INSERT INTO tasks (id, user_id, title) VALUES (%(id)s, %(user_id)s, %(title)s) RETURNING *"
    parameters = {"id": new_id("task"), "user_id": user_id, "title": clean_text(title)}
    row = await (await connection.execute(query, parameters)).fetchone()
    assert row is not None
    return row


async def rename(connection: Connection, user_id: str, task_id: str, title: str) -> Row | None:
    """The task under another title; None if there is no such task of this user's."""
    query = "UPDATE tasks SET title = %(title)s WHERE id = %(id)s AND user_id = %(user_id)s RETURNING *"
    parameters = {"id": task_id, "user_id": user_id, "title": clean_text(title)}
    return await (await connection.execute(query, parameters)).fetchone()


async def complete(connection: Connection, user_id: str, task_id: str) -> Row | None:
    """The task, done; None if there is no such task of this user's."""
    query = "UPDATE tasks SET completed = true WHERE id = %(id)s AND user_id = %(user_id)s RETURNING *"
    return await (await connection.execute(query, {"id": task_id, "user_id": user_id})).fetchone()


async def delete(connection: Connection, user_id: str, task_id: str) -> Row | None:
    """What was deleted; None if there is no such task of this user's."""
    query = "DELETE FROM tasks WHERE id = %(id)s AND user_id = %(user_id)s RETURNING *"
    return await (await connection.execute(query, {"id": task_id, "user_id": user_id})).fetchone()
