"""The messages of a conversation: ChatKit's thread items as rows, in order of position, owner in every statement.

Writes carry the attempt (law 2): the fence takes a share lock on the run's row, so a write and the claim of a
newer attempt cannot pass one another. Attempt 0 is the admission, inside the transaction that inserts the run.
"""

import json
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from shared.database import Connection, Row
from shared.errors import NotFound, StaleAttempt

HIDDEN_TYPES = ("hidden_context_item", "sdk_hidden_context")

FENCE = """
    SELECT id FROM runs
    WHERE id = %(run_id)s AND attempt = %(attempt)s AND (status = 'running' OR attempt = 0)
    FOR SHARE
"""

_SAVE = f"""
WITH fence AS ({FENCE}),
place AS (
    UPDATE conversations SET next_position = next_position + 1, updated_at = clock_timestamp()
    WHERE id = %(conversation_id)s AND user_id = %(user_id)s AND EXISTS (SELECT FROM fence)
    RETURNING next_position - 1 AS position
)
INSERT INTO messages (conversation_id, id, run_id, attempt, position, type, role, content, tool_calls, item)
SELECT %(conversation_id)s, %(id)s, %(run_id)s, %(attempt)s, place.position,
       %(type)s, %(role)s, %(content)s, %(tool_calls)s, %(item)s
FROM place
ON CONFLICT (conversation_id, id) DO UPDATE SET
    type = excluded.type, role = excluded.role, content = excluded.content, item = excluded.item,
    tool_calls = coalesce(excluded.tool_calls, messages.tool_calls),
    attempt = CASE WHEN messages.run_id = excluded.run_id THEN excluded.attempt ELSE messages.attempt END
"""

_DELETE = f"""
WITH fence AS ({FENCE})
DELETE FROM messages m USING conversations c
WHERE m.conversation_id = %(conversation_id)s AND m.id = %(id)s
  AND c.id = m.conversation_id AND c.user_id = %(user_id)s AND EXISTS (SELECT FROM fence)
"""

_DELETE_EARLIER = f"""
WITH fence AS ({FENCE})
DELETE FROM messages
WHERE run_id = %(run_id)s AND attempt > 0 AND attempt < %(attempt)s
  AND (%(ids)s::text[] IS NULL OR id = ANY(%(ids)s)) AND EXISTS (SELECT FROM fence)
RETURNING id
"""

_PAGE = """
SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = %(conversation_id)s AND c.user_id = %(user_id)s
  AND (%(hidden)s OR m.type <> ALL(%(hidden_types)s))
  AND NOT (m.run_id IS NOT DISTINCT FROM %(run_id)s AND m.attempt > 0 AND m.attempt < %(attempt)s)
  AND (%(after)s::bigint IS NULL OR m.position {comparison} %(after)s)
ORDER BY m.position {direction} LIMIT %(limit)s
"""

_ONE = """
SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = %(conversation_id)s AND m.id = %(id)s AND c.user_id = %(user_id)s
"""

_SOME = """
SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = %(conversation_id)s AND m.id = ANY(%(ids)s) AND c.user_id = %(user_id)s
"""

_OF_RUN = """
SELECT m.* FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = %(conversation_id)s AND c.user_id = %(user_id)s AND m.run_id = %(run_id)s
  AND m.type <> ALL(%(hidden_types)s) AND (%(attempt)s::int IS NULL OR m.attempt = %(attempt)s)
ORDER BY m.position
"""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: an attempt of a run, for its owner."""

    run_id: str
    attempt: int
    user_id: str


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One page of rows; `after` is the id to go on from, where there is more."""

    rows: list[Row]
    has_more: bool

    @property
    def after(self) -> str | None:
        return self.rows[-1]["id"] if self.rows and self.has_more else None


async def save(
    connection: Connection,
    writer: Writer,
    conversation_id: str,
    item: bytes,
    *,
    tool_calls: list[dict[str, Any]] | None = None,
) -> None:
    """Insert the item at the conversation's end, or replace the one with its id where it stands.

    `item` is the ChatKit thread item as `to_stored` gives it. Raises StaleAttempt.
    """
    parsed = json.loads(item)
    changed = await connection.execute(
        _SAVE,
        {
            "run_id": writer.run_id,
            "attempt": writer.attempt,
            "user_id": writer.user_id,
            "conversation_id": conversation_id,
            "id": parsed["id"],
            "type": parsed["type"],
            "role": _role(parsed["type"]),
            "content": readable(parsed),
            "tool_calls": Jsonb(tool_calls) if tool_calls else None,
            "item": Jsonb(parsed),
        },
    )
    if changed.rowcount == 0:
        raise StaleAttempt(writer.run_id)


async def delete(connection: Connection, writer: Writer, conversation_id: str, item_id: str) -> None:
    """Delete one message; one that is not there is no error, as in the SDK's own stores."""
    parameters = {"run_id": writer.run_id, "attempt": writer.attempt, "user_id": writer.user_id}
    await connection.execute(_DELETE, {**parameters, "conversation_id": conversation_id, "id": item_id})


async def delete_earlier(connection: Connection, writer: Writer, item_ids: list[str] | None) -> list[str]:
    """Delete what earlier attempts of this run stored, all of it or these; the ids that went."""
    parameters = {"run_id": writer.run_id, "attempt": writer.attempt, "ids": item_ids}
    rows = await (await connection.execute(_DELETE_EARLIER, parameters)).fetchall()
    return [row["id"] for row in rows]


async def one(connection: Connection, user_id: str, conversation_id: str, item_id: str) -> Row:
    """One message's row. Raises NotFound."""
    parameters = {"user_id": user_id, "conversation_id": conversation_id, "id": item_id}
    row = await (await connection.execute(_ONE, parameters)).fetchone()
    if row is None:
        raise NotFound
    return row


async def some(connection: Connection, user_id: str, conversation_id: str, item_ids: list[str]) -> list[Row]:
    """The rows of those of these messages that are there."""
    parameters = {"user_id": user_id, "conversation_id": conversation_id, "ids": item_ids}
    return await (await connection.execute(_SOME, parameters)).fetchall()


async def of_run(
    connection: Connection, user_id: str, conversation_id: str, run_id: str, *, attempt: int | None = None
) -> list[Row]:
    """What a run has stored that its user may see, in order; of one attempt only, if given."""
    parameters = {"user_id": user_id, "conversation_id": conversation_id, "run_id": run_id, "attempt": attempt}
    return await (await connection.execute(_OF_RUN, {**parameters, "hidden_types": list(HIDDEN_TYPES)})).fetchall()


async def page(
    connection: Connection,
    user_id: str,
    conversation_id: str,
    *,
    limit: int,
    after: str | None = None,
    order: str = "asc",
    hidden: bool = False,
    reader: Writer | None = None,
) -> MessagePage:
    """One page of a conversation's messages after the message `after`. Raises NotFound if that is not there.

    A `reader` sees the conversation as it was admitted plus what its own attempt wrote, never what an earlier
    attempt of the same run left behind.
    """
    limit = max(limit, 1)
    position = (await one(connection, user_id, conversation_id, after))["position"] if after else None
    descending = order == "desc"
    sql = _PAGE.format(comparison="<" if descending else ">", direction="DESC" if descending else "ASC")
    cursor = await connection.execute(
        sql,
        {
            "user_id": user_id,
            "conversation_id": conversation_id,
            "hidden": hidden,
            "hidden_types": list(HIDDEN_TYPES),
            "run_id": reader.run_id if reader else None,
            "attempt": reader.attempt if reader else 0,
            "after": position,
            "limit": limit + 1,
        },
    )
    rows = await cursor.fetchall()
    return MessagePage(rows[:limit], has_more=len(rows) > limit)


def visible(item: dict[str, Any]) -> dict[str, Any]:
    """The stored item as a client may see it: without the attachments' integration-only metadata."""
    if not item.get("attachments"):
        return item
    attachments = [{key: value for key, value in one.items() if key != "metadata"} for one in item["attachments"]]
    return {**item, "attachments": attachments}


def readable(item: dict[str, Any]) -> str:
    """The text a person would read in the item; empty where it has none."""
    match item["type"]:
        case "user_message" | "assistant_message":
            return "".join(part.get("text", "") for part in item.get("content", []))
        case "widget":
            return item.get("copy_text") or ""
        case "task":
            return item["task"].get("title") or item["task"].get("content") or ""
        case "workflow":
            tasks = item["workflow"].get("tasks", [])
            return "\n".join(text for task in tasks if (text := task.get("title") or task.get("content")))
        case "structured_input":
            return "\n".join(question["question"] for question in item.get("inputs", []))
        case _:
            return ""


def _role(item_type: str) -> str:
    if item_type in HIDDEN_TYPES:
        return "system"
    return "user" if item_type == "user_message" else "assistant"
