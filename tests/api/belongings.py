"""One of everything that a user can have: a row in every table, files, an event log; all with the user's name in it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from chatkit.types import FileAttachment

from shared import attachments, feedback, messages, tasks
from shared.conversations import Conversations
from shared.database import Connection, Database
from shared.event_log import EventLog
from shared.files import DirectoryFiles
from shared.fold import item_event
from shared.messages import Writer
from shared.runs import Runs
from tests.rows import queued

_JOURNAL = """
INSERT INTO turns (run_id, conversation_id, position, items) VALUES (%(run)s, %(conversation)s, 9, %(items)s);
INSERT INTO run_steps (run_id, path, n, fingerprint) VALUES (%(run)s, '1', 0, %(user)s);
INSERT INTO tool_calls (run_id, path, n, index, name, idempotency_key) VALUES (%(run)s, '1', 0, 0, 'add', %(user)s);
INSERT INTO idempotency_keys (user_id, key, run_id, fingerprint) VALUES (%(user)s, %(user)s, %(run)s, 'f');
INSERT INTO daily_tokens (user_id, day, tokens) VALUES (%(user)s, now(), 1)
"""

MINE = b"mine"
"""What is uploaded to the address that awaits it."""

NOWHERE = {
    "conversation": "thr_none",
    "message": "msg_none",
    "widget": "wdg_none",
    "questions": "si_none",
    "run": "run_none",
    "attachment": "atc_none",
    "awaited": "atc_neither",
}
"""Ids of what does not exist: what a user's own and another's are compared with."""


async def belongings(database: Database, log: EventLog, files: Path, user: str, *, answering: bool) -> dict[str, str]:
    """The ids, by the names that `NOWHERE` has; with `answering` the conversation's run is still to be answered."""
    run = await queued(database, f"{user}'s words", user_id=user)
    assert run.conversation_id is not None
    ids = {name: f"{found.removesuffix('_none')}_{user}" for name, found in NOWHERE.items()}
    ids |= {"conversation": run.conversation_id, "run": run.id, "message": run.request["message_id"]}
    await Conversations(database).rename(user, run.conversation_id, f"{user}'s title")
    async with database.of(user).transaction() as connection:
        for item in items_of(user, ids):
            data = json.dumps({"thread_id": run.conversation_id, "created_at": "2026-01-01T00:00:00", **item}).encode()
            await messages.save(connection, Writer(run.id, 0, user), run.conversation_id, data)
        await _attached(connection, user, ids)
        await feedback.save(connection, user, run.conversation_id, item_ids=[ids["message"]], kind="positive")
        await tasks.add(connection, user, f"{user}'s task")
        parts = {"run": run.id, "conversation": run.conversation_id, "user": user, "items": json.dumps([user])}
        for statement in _JOURNAL.split(";"):
            await connection.execute(statement, parts)
    await DirectoryFiles(files).save(ids["attachment"], _bytes(user))
    shown = item_event("thread.item.done", {"id": ids["message"], "type": "user_message", "content": user})
    expires_at = run.deadline.timestamp()
    await log.begin(run.id, attempt=0, generation=1, expires_at=expires_at, records=[shown])
    if not answering:
        await Runs(database).request_cancel(user, run.id)
    return ids


def items_of(user: str, ids: dict[str, str]) -> list[dict[str, Any]]:
    """What a conversation may hold that a request can name; the pending call stands last, where it is looked for."""
    question = {"id": "q", "type": "freeform", "question": f"{user}'s question"}
    call = {"status": "pending", "call_id": f"call_{user}", "name": user, "arguments": {}}
    return [
        {"id": ids["widget"], "type": "widget", "widget": {"type": "Card", "children": []}, "copy_text": user},
        {"id": ids["questions"], "type": "structured_input", "inputs": [question], "status": "pending"},
        {"id": f"tc_{user}", "type": "client_tool_call", **call},
    ]


async def _attached(connection: Connection, user: str, ids: dict[str, str]) -> None:
    for name, uploaded in (("attachment", True), ("awaited", False)):
        file = FileAttachment(id=ids[name], name=f"{user}.txt", mime_type="text/plain")
        await attachments.save(connection, user, file, size=len(MINE), uploaded=uploaded)


async def _bytes(user: str) -> AsyncIterator[bytes]:
    yield f"{user}'s bytes".encode()
