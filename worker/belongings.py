"""`python -m worker export USER_ID` and `erase USER_ID`: everything that belongs to one user, shown or gone.

An export is JSON, an object a line: conversations with their messages, then tasks, attachments, feedback. Erasing asks
active runs to end, deletes every row and every file, and forgets the runs' logs. It starts no worker.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from shared.channels import REDIS_AWAY
from shared.conversations import Conversations
from shared.database import Database, Scope
from shared.files import DirectoryFiles, Files
from shared.log_scripts import keys
from shared.messages import page, visible
from shared.reach import unreachable
from shared.redis import connect
from shared.settings import Settings, UnusableSettings
from shared.tables import Conversation

PAGE = 100
OWNED = [table for table in Conversation.metadata.sorted_tables if "user_id" in table.c]
"""The tables whose rows name their user; whatever else is a user's goes with them."""
EXPORTED = ("tasks", "attachments", "feedback")


def main() -> int:
    """Export or erase; 1 where a server that it needs is not there, 2 where it was not asked properly."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="What belongs to one user.")
    parser.add_argument("what", choices=["export", "erase"])
    parser.add_argument("user_id", help="as in the tables: the token's subject, or issuer|subject")
    parser.add_argument("--yes", action="store_true", help="erase without being asked")
    asked = parser.parse_args()
    try:
        settings = Settings.load()
    except UnusableSettings as reason:
        print(reason, file=sys.stderr)
        return 1
    if complaint := unreachable(settings):
        print(complaint, file=sys.stderr)
        return 1
    if asked.what == "export":
        asyncio.run(_print_export(settings, asked.user_id))
    elif asked.yes or input(f"Erase everything of {asked.user_id!r}? Type the id again: ") == asked.user_id:
        gone = asyncio.run(_erase(settings, asked.user_id))
        print(json.dumps(gone))
    else:
        print("Nothing was erased.", file=sys.stderr)
        return 2
    return 0


async def exported(database: Database, user_id: str) -> AsyncIterator[dict[str, Any]]:
    """Everything of the user's that a user can see, in objects of `type` conversation, task, attachment, feedback."""
    conversations, after, more = Conversations(database), None, True
    while more:
        rows, more = await conversations.page(user_id, limit=PAGE, after=after)
        for row in rows:
            yield {"type": "conversation", **row, "messages": await _messages(database, user_id, row["id"])}
        after = rows[-1]["id"] if rows else None
    scope = database.of(user_id)
    for table in EXPORTED:
        for row in await scope.all(f"SELECT * FROM {table} WHERE user_id = %(u)s ORDER BY id", {"u": user_id}):
            yield {"type": table.removesuffix("s"), **row}


async def erase(database: Database, files: Files, user_id: str) -> tuple[dict[str, int], list[str]]:
    """Delete every row and every file of the user's: how many rows of each table, and the ids of the runs that went."""
    scope, parameters = database.of(user_id), {"u": user_id}
    runs = [row["id"] for row in await scope.all("SELECT id FROM runs WHERE user_id = %(u)s", parameters)]
    names = [row["id"] for row in await scope.all("SELECT id FROM attachments WHERE user_id = %(u)s", parameters)]
    await scope.run(_CANCEL, parameters)
    gone = await _delete_rows(scope, user_id)
    for name in names:
        await files.delete(name)
    return gone, runs


_CANCEL = """
UPDATE runs SET cancel_requested_at = clock_timestamp()
WHERE user_id = %(u)s AND status IN ('queued', 'running') AND cancel_requested_at IS NULL
"""


async def _delete_rows(scope: Scope, user_id: str) -> dict[str, int]:
    """Runs are locked first, as a worker's writes lock them: the other way round the two could wait for one another."""
    async with scope.transaction() as connection:
        parameters = {"u": user_id}
        await connection.execute("SELECT id FROM runs WHERE user_id = %(u)s ORDER BY id FOR UPDATE", parameters)
        gone = {}
        for table in reversed(OWNED):
            deleted = await connection.execute(f"DELETE FROM {table.name} WHERE user_id = %(u)s", parameters)
            gone[table.name] = deleted.rowcount
    return gone


async def _messages(database: Database, user_id: str, conversation_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after, more = None, True
    async with database.of(user_id).connection() as connection:
        while more:
            some = await page(connection, user_id, conversation_id, limit=PAGE, after=after)
            found += [{**row, "item": visible(row["item"])} for row in some.rows]
            after, more = some.after, some.has_more
    return found


async def _print_export(settings: Settings, user_id: str) -> None:
    async with Database(settings.database_url, prepare=settings.database_prepare) as database:
        async for one in exported(database, user_id):
            print(json.dumps(one, default=str, ensure_ascii=False))


async def _erase(settings: Settings, user_id: str) -> dict[str, int]:
    async with Database(settings.database_url, prepare=settings.database_prepare) as database:
        gone, runs = await erase(database, DirectoryFiles(settings.attachments_dir), user_id)
    redis = connect(settings.events_url)
    try:
        for run_id in runs:
            await redis.delete(*keys(run_id)[:2])
    except REDIS_AWAY:
        print("Redis is away: what it has of these runs goes by itself, LOG_TAIL after their end.", file=sys.stderr)
    finally:
        await redis.aclose()
    return gone
