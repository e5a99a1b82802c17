"""What no message carries is collected; what one carries, or is still young, is kept."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared import attachments
from shared.attachments import AttachmentRules
from shared.database import Database
from shared.errors import NotFound
from shared.files import DirectoryFiles
from shared.signed_urls import SignedUrls
from worker.collector import Collector

pytestmark = pytest.mark.anyio

RULES = AttachmentRules(1000, ("text/plain",), SignedUrls("http://here", b"key", 60))
HOUR = 3600.0


@pytest.fixture
def files(tmp_path: Path) -> DirectoryFiles:
    return DirectoryFiles(tmp_path)


async def kept(database: Database, files: DirectoryFiles, *, hours_old: int, conversation_id: str | None) -> str:
    """An attachment of this age, with its bytes."""
    made = RULES.make("a.txt", "text/plain", size=3, uploaded=True)
    async with database.across_users.connection() as connection:
        await attachments.save(connection, "ann", made, size=3)
        await connection.execute(
            "UPDATE attachments SET created_at = clock_timestamp() - make_interval(hours => %s), conversation_id = %s "
            "WHERE id = %s",
            [hours_old, conversation_id, made.id],
        )
    await written(files, made.id, hours_old=hours_old)
    return made.id


async def written(files: DirectoryFiles, name: str, *, hours_old: int) -> None:
    await files.save(name, bytes_of(b"abc"))
    path = files._path(name)
    moment = path.stat().st_mtime - hours_old * HOUR
    os.utime(path, (moment, moment))


async def bytes_of(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def is_there(database: Database, files: DirectoryFiles, name: str) -> tuple[bool, bool]:
    """(whether its row is there, whether its bytes are)."""
    async with database.across_users.connection() as connection:
        try:
            await attachments.one(connection, "ann", name)
            row = True
        except NotFound:
            row = False
    return row, name in await files.older_than(-HOUR)


async def test_only_what_is_old_and_nobodys_is_collected(database: Database, files: DirectoryFiles) -> None:
    await database.across_users.run("INSERT INTO conversations (id, user_id) VALUES ('thr', 'ann')", {})
    forgotten = await kept(database, files, hours_old=2, conversation_id=None)
    young = await kept(database, files, hours_old=0, conversation_id=None)
    carried = await kept(database, files, hours_old=2, conversation_id="thr")
    await written(files, "atc_orphan", hours_old=2)
    await written(files, "atc_young_orphan", hours_old=0)
    await Collector(database, files, unbound_seconds=HOUR).collect()
    assert await is_there(database, files, forgotten) == (False, False)
    assert await is_there(database, files, young) == (True, True)
    assert await is_there(database, files, carried) == (True, True)
    assert await is_there(database, files, "atc_orphan") == (False, False)
    assert await is_there(database, files, "atc_young_orphan") == (False, True)


async def test_an_upload_that_breaks_off_leaves_nothing(files: DirectoryFiles) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"abc"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await files.save("atc_broken", broken())
    assert await files.older_than(-HOUR) == []
