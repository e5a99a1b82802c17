"""The todo list's tools. Whose list it is comes from the run's context: no tool takes a user id (law 8)."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from agents import RunContextWrapper, Tool, function_tool
from chatkit.agents import AgentContext

from shared import tasks
from shared.context import RequestContext
from shared.database import Connection, Database, Row
from worker.effects import finish_in, idempotent

Context = RunContextWrapper[AgentContext[RequestContext]]

MAX_TITLE = 500


class TaskTools:
    """The five tools on one database. Each answers with a task, a list of tasks, or an error, as JSON."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Tool]:
        """The tools, for an agent."""
        methods = (self.add_task, self.list_tasks, self.update_task, self.complete_task, self.delete_task)
        return [function_tool(method) for method in methods]

    @idempotent
    async def add_task(self, context: Context, title: str) -> str:
        """Add a task to the user's list.

        Args:
            title: What is to be done, in a few words.
        """
        if not (title := title.strip()) or len(title) > MAX_TITLE:
            return _json({"error": f"A title has 1 to {MAX_TITLE} characters."})
        return await self._change(context, lambda connection: tasks.add(connection, _user(context), title))

    @idempotent
    async def list_tasks(self, context: Context) -> str:
        """List the user's tasks with their ids, done and open ones."""
        return _json([tasks.public(row) for row in await tasks.of_user(self._database, _user(context))])

    @idempotent
    async def update_task(self, context: Context, task_id: str, title: str) -> str:
        """Give a task another title.

        Args:
            task_id: The task's id, as list_tasks shows it.
            title: The new title.
        """
        if not (title := title.strip()) or len(title) > MAX_TITLE:
            return _json({"error": f"A title has 1 to {MAX_TITLE} characters."})
        return await self._change(context, lambda connection: tasks.rename(connection, _user(context), task_id, title))

    @idempotent
    async def complete_task(self, context: Context, task_id: str) -> str:
        """Mark a task as done.

        Args:
            task_id: The task's id, as list_tasks shows it.
        """
        return await self._change(context, lambda connection: tasks.complete(connection, _user(context), task_id))

    @idempotent
    async def delete_task(self, context: Context, task_id: str) -> str:
        """Delete a task for good.

        Args:
            task_id: The task's id, as list_tasks shows it.
        """
        return await self._change(context, lambda connection: tasks.delete(connection, _user(context), task_id))

    async def _change(self, context: Context, make: Callable[[Connection], Awaitable[Row | None]]) -> str:
        """Change a row and journal the call in one transaction: a call that is not recorded has done nothing."""
        async with self._database.of(_user(context)).transaction() as connection:
            row = await make(connection)
            result = _json(tasks.public(row)) if row else _json({"error": "There is no task with this id."})
            await finish_in(connection, result)
        return result


def _user(context: Context) -> str:
    return context.context.request_context.user_id


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
