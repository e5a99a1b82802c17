"""/api/conversations: list, read, messages, rename, delete; and the todo list at /api/tasks."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints, TypeAdapter

from api import body as bodies
from api.dependencies import CurrentBody, CurrentHouse, CurrentPrincipal
from api.protocol import MAX_TITLE, clamped
from shared import messages, tasks
from shared.database import Row

router = APIRouter(prefix="/api")

NO_NUL = r"^[^\x00]*$"
After = Annotated[str | None, Query(max_length=200, pattern=NO_NUL)]


class Rename(BaseModel):
    """The body of a PATCH."""

    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TITLE)]


_RENAME = TypeAdapter(Rename)


@router.get("/conversations")
async def list_conversations(
    house: CurrentHouse,
    principal: CurrentPrincipal,
    limit: int | None = None,
    after: After = None,
    q: Annotated[str | None, Query(max_length=200, pattern=NO_NUL)] = None,
) -> dict[str, Any]:
    """The user's conversations, newest first; `q` is looked for in their titles."""
    rows, has_more = await house.conversations.page(principal.user_id, limit=clamped(limit), after=after, q=q)
    return {
        "data": [_conversation(row) for row in rows],
        "has_more": has_more,
        "after": rows[-1]["id"] if rows and has_more else None,
    }


@router.get("/conversations/{conversation_id}")
async def get_conversation(conversation_id: str, house: CurrentHouse, principal: CurrentPrincipal) -> dict[str, Any]:
    """One conversation, with the run that is answering it and the last one."""
    row = await house.conversations.get_with_runs(principal.user_id, conversation_id)
    return {**_conversation(row), "active_run": row["active_run"], "last_run": row["last_run"]}


@router.get("/conversations/{conversation_id}/messages")
async def list_messages(
    conversation_id: str,
    house: CurrentHouse,
    principal: CurrentPrincipal,
    limit: int | None = None,
    after: After = None,
) -> dict[str, Any]:
    """Its messages in order, hidden context left out."""
    await house.conversations.get(principal.user_id, conversation_id)
    async with house.database.of(principal.user_id).connection() as connection:
        page = await messages.page(connection, principal.user_id, conversation_id, limit=clamped(limit), after=after)
    return {"data": [_message(row) for row in page.rows], "has_more": page.has_more, "after": page.after}


@router.patch("/conversations/{conversation_id}")
async def rename_conversation(
    conversation_id: str, house: CurrentHouse, principal: CurrentPrincipal, body: CurrentBody
) -> dict[str, Any]:
    """Give it another title."""
    rename = bodies.validate(_RENAME, body)
    return _conversation(await house.conversations.rename(principal.user_id, conversation_id, rename.title))


@router.delete("/conversations/{conversation_id}")
async def delete_conversation(conversation_id: str, house: CurrentHouse, principal: CurrentPrincipal) -> dict[str, str]:
    """Delete it and everything in it; an answer in progress is cancelled first."""
    await house.protocol.delete(principal.user_id, conversation_id)
    return {"status": "deleted"}


@router.get("/tasks")
async def list_tasks(house: CurrentHouse, principal: CurrentPrincipal) -> list[dict[str, Any]]:
    """The user's todo list."""
    return [tasks.public(row) for row in await tasks.of_user(house.database, principal.user_id)]


def _conversation(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "title": row["title"],
        "status": row["status"]["type"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _message(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "type", "role", "content", "tool_calls", "created_at")}
