"""One user's belongings: exported whole, erased whole, and nobody else's touched."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.database import Database
from shared.files import DirectoryFiles
from shared.runs import Runs, RunStatus
from tests.rows import answer, claimed, save
from worker.belongings import OWNED, erase, exported

pytestmark = pytest.mark.anyio


async def belongings(database: Database, user_id: str) -> None:
    """Something of every kind."""
    run = await claimed(database, f"hello from {user_id}", user_id=user_id)
    await save(database, run, answer(f"hello {user_id}", run))
    await Runs(database).finish(run, RunStatus.COMPLETED)
    await claimed(database, "still answering", user_id=user_id)
    scope, parameters = database.of(user_id), {"u": user_id, "c": run.conversation_id, "r": run.id}
    for sql in (
        "INSERT INTO tasks (id, user_id, title) VALUES ('task_' || %(u)s, %(u)s, 'milk')",
        """INSERT INTO attachments (id, user_id, name, mime_type, size)
           VALUES ('atc_' || %(u)s, %(u)s, 'a.txt', 'text/plain', 1)""",
        """INSERT INTO feedback (id, user_id, conversation_id, kind)
           VALUES ('fb_' || %(u)s, %(u)s, %(c)s, 'positive')""",
        "INSERT INTO idempotency_keys (user_id, key, run_id, fingerprint) VALUES (%(u)s, 'k', %(r)s, 'f')",
        "INSERT INTO daily_tokens (user_id, day, tokens) VALUES (%(u)s, '2026-01-01', 5)",
    ):
        await scope.run(sql, parameters)


async def one_byte() -> AsyncIterator[bytes]:
    yield b"x"


async def counted(database: Database, user_id: str) -> dict[str, int]:
    sql = "SELECT count(*) AS n FROM {} WHERE user_id = %(u)s"
    rows = {t.name: await database.across_users.one(sql.format(t.name), {"u": user_id}) for t in OWNED}
    return {name: row["n"] for name, row in rows.items() if row is not None}


async def everything(database: Database, user_id: str) -> list[dict[str, Any]]:
    return [one async for one in exported(database, user_id)]


async def test_an_export_is_everything_of_one_user_and_of_no_other(database: Database) -> None:
    await belongings(database, "ann")
    await belongings(database, "bob")
    found = await everything(database, "ann")
    assert [one["type"] for one in found] == ["conversation", "conversation", "task", "attachment", "feedback"]
    said = [message["content"] for one in found[:2] for message in one["messages"]]
    assert sorted(said) == ["hello ann", "hello from ann", "still answering"]
    assert "bob" not in json.dumps(found, default=str)


async def test_erasing_leaves_no_row_and_no_file_of_the_user_and_all_of_the_others(
    database: Database, tmp_path: Path
) -> None:
    files = DirectoryFiles(tmp_path)
    for user_id in ("ann", "bob"):
        await belongings(database, user_id)
        await files.save(f"atc_{user_id}", one_byte())
    before = await counted(database, "bob")
    assert min(before.values()) > 0, "a table of users' rows is missing from this test"
    gone, runs = await erase(database, files, "ann")
    assert set((await counted(database, "ann")).values()) == {0}
    assert gone["conversations"] == 2
    assert len(runs) == 2
    assert await counted(database, "bob") == before
    assert await files.older_than(-1) == ["atc_bob"]
    assert await everything(database, "ann") == []


async def test_erasing_who_is_not_there_is_no_error(database: Database, tmp_path: Path) -> None:
    gone, runs = await erase(database, DirectoryFiles(tmp_path), "nobody")
    assert set(gone.values()) == {0}
    assert runs == []
