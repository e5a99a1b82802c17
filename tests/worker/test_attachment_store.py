"""The attachment store of a server that brings none: what goes wrong in it is told apart."""

from pathlib import Path

import pytest
from chatkit.store import NotFoundError

from shared.database import AWAY, Database
from shared.files import DirectoryFiles
from tests.rows import claimed
from worker.attachment_store import MARK, OwnAttachments
from worker.current_run import CurrentRun, carrying_out

pytestmark = pytest.mark.anyio

FILE = [{"role": "user", "content": [{"type": "input_file", "file_data": f"{MARK}atc_gone", "filename": "a.txt"}]}]


async def test_a_failure_of_postgres_is_ours_and_gives_the_run_back(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    run = await claimed(database)
    async with Database(database_url) as closed:
        pass
    current, store = CurrentRun(run, say=lambda _: None), OwnAttachments(closed, DirectoryFiles(tmp_path), None)
    with carrying_out(current), pytest.raises(AWAY):
        await store.inlined(FILE)
    assert isinstance(current.failure, AWAY)


async def test_a_file_that_is_not_there_is_no_failure_of_ours(database: Database, tmp_path: Path) -> None:
    current = CurrentRun(await claimed(database), say=lambda _: None)
    store = OwnAttachments(database, DirectoryFiles(tmp_path), None)
    with carrying_out(current):
        [item] = await store.inlined(FILE)
        with pytest.raises(NotFoundError):
            await store.read("atc_gone", None)
    assert item["content"] == [{"type": "input_text", "text": "A file that was attached here has been deleted."}]
    assert current.failure is None
