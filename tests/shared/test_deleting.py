"""Deleting a conversation while its run is writing."""

import asyncio

import pytest

from shared import messages, runs
from shared.conversations import Conversations
from shared.database import Database
from shared.errors import NotFound
from shared.messages import Writer
from shared.runs import RunKind

pytestmark = pytest.mark.anyio


async def test_a_deletion_and_a_writing_worker_never_wait_for_one_another(database: Database) -> None:
    await database.across_users.run("INSERT INTO conversations (id, user_id) VALUES ('thr', 'ann')", {})
    parts = {"run_id": "run", "user_id": "ann", "conversation_id": "thr", "kind": RunKind.RESPOND}
    async with database.across_users.transaction() as connection:
        await runs.insert(connection, request={}, deadline=60, **parts)  # type: ignore[arg-type]
    conversations = Conversations(database)
    async with database.across_users.transaction() as writing:
        await writing.execute("SELECT id FROM runs WHERE id = 'run' FOR SHARE")
        deleting = asyncio.create_task(conversations.delete("ann", "thr"))
        blocked = "SELECT 1 FROM pg_locks WHERE NOT granted"
        while not await database.across_users.one(blocked, {}):  # noqa: ASYNC110  (another session tells it)
            await asyncio.sleep(0)
        item = b'{"id": "msg", "type": "assistant_message", "content": []}'
        await messages.save(writing, Writer("run", 0, "ann"), "thr", item)
    await deleting
    with pytest.raises(NotFound):
        await conversations.get("ann", "thr")
