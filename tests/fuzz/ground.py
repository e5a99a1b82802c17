"""What the fuzzed requests may hit: one user's conversations with something of every kind in them."""

import json
from collections.abc import Mapping
from typing import Any

from shared import attachments, messages
from shared.attachments import AttachmentRules
from shared.database import Database
from shared.runs import Runs, RunStatus
from shared.settings import Settings
from tests.rows import claimed, writer_of

USER = "fuzz"

ITEMS: dict[str, dict[str, Any]] = {
    "msg_widget": {"type": "widget", "widget": {"type": "Card", "children": []}},
    "msg_questions": {
        "type": "structured_input",
        "status": "pending",
        "inputs": [
            {"id": "q1", "question": "Which?", "type": "multiple_choice", "options": [{"value": "a"}, {"value": "b"}]},
            {"id": "q2", "question": "Why?", "type": "freeform"},
        ],
    },
    "msg_call": {"type": "client_tool_call", "status": "pending", "call_id": "c1", "name": "look", "arguments": {}},
}
"""Beside the user's own message: the last of them waits for a tool's output."""

TABLES = ("conversations", "runs", "tasks", "attachments")


async def laid(database: Database, settings: Settings) -> Mapping[str, str]:
    """Everything anew, and the ids of it by the names that the requests use."""
    for table in TABLES:
        await database.across_users.run(f"DELETE FROM {table}", {})
    run, foreign = await claimed(database, user_id=USER), await claimed(database, user_id="another")
    assert run.conversation_id is not None
    for item_id, item in ITEMS.items():
        whole = {"id": item_id, "thread_id": run.conversation_id, "created_at": "2026-01-01T00:00:00", **item}
        async with database.of(USER).connection() as connection:
            await messages.save(connection, writer_of(run), run.conversation_id, json.dumps(whole).encode())
    await Runs(database).finish(run, RunStatus.COMPLETED)
    rules = AttachmentRules.of(settings)
    assert rules is not None
    attachment = rules.make("a.txt", "text/plain", size=None, uploaded=True)
    async with database.of(USER).connection() as connection:
        await attachments.save(connection, USER, attachment, size=1)
    return {
        "thread": run.conversation_id,
        "foreign": foreign.conversation_id or "",
        "message": str(run.request["message_id"]),
        "widget": "msg_widget",
        "questions": "msg_questions",
        "attachment": attachment.id,
        "run": run.id,
    }
