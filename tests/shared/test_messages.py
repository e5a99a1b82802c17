"""Messages: in order of position, owner and attempt in every statement, and a fence that no write slips past."""

import asyncio
import json

import pytest
from chatkit.types import CustomTask, FileAttachment, HiddenContextItem, Workflow, WorkflowItem
from psycopg.rows import dict_row

from shared import messages
from shared.database import Connection, Database
from shared.errors import NotFound, StaleAttempt
from shared.messages import Writer
from shared.runs import Runs, RunStatus
from shared.tables import Run
from shared.wire import to_stored
from tests.rows import DAY, answer, claimed, queued, requeued, save, stored, superseded, writer_of
from tests.waiting import PATIENCE

pytestmark = pytest.mark.anyio

_CLAIM = "UPDATE runs SET attempt = attempt + 1 WHERE id = %(id)s AND status = 'running' RETURNING attempt"


async def texts(database: Database, run: Run) -> list[str]:
    return [row["content"] for row in await stored(database, run)]


async def page_of(database: Database, run: Run, **how: object) -> list[str]:
    async with database.across_users.connection() as connection:
        page = await messages.page(connection, "ann", run.conversation_id or "", limit=100, **how)  # type: ignore[arg-type]
    return [row["content"] for row in page.rows]


async def until_blocked(database: Database) -> None:
    """Wait until some statement of this database waits for a lock."""
    sql = """SELECT count(*) AS waiting FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    async with asyncio.timeout(PATIENCE):
        while (row := await database.across_users.one(sql, {})) and not row["waiting"]:
            pass


@pytest.fixture
async def dead_worker(database_url: str) -> Connection:  # type: ignore[misc]
    """The connection of a worker that is about to lose its run, in a transaction."""
    async with await Connection.connect(database_url, row_factory=dict_row) as connection:
        await connection.execute("SELECT set_config('chatkit.user_id', 'ann', true)")
        yield connection


async def test_messages_keep_the_order_of_their_first_saving(database: Database) -> None:
    run = await claimed(database, "question")
    first, second = answer("one", run), answer("two", run)
    await save(database, run, first)
    await save(database, run, second)
    await save(database, run, answer("one, changed", run, item_id=first.id))
    assert await texts(database, run) == ["question", "one, changed", "two"]


async def test_an_older_attempt_can_neither_save_nor_delete(database: Database) -> None:
    old = await claimed(database, "question")
    await save(database, old, answer("half", old, item_id="msg_half"))
    new = await superseded(database, old)
    with pytest.raises(StaleAttempt):
        await save(database, old, answer("late", old))
    with pytest.raises(StaleAttempt):
        await save(database, old, answer("late", old, item_id="msg_half"))
    async with database.across_users.connection() as connection:
        await messages.delete(connection, writer_of(old), old.conversation_id or "", "msg_half")
        assert await messages.delete_earlier(connection, writer_of(old), None) == []
    assert await texts(database, new) == ["question", "half"]


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, RunStatus.CANCELLED])
async def test_nobody_writes_for_a_run_that_has_ended_or_waits(
    database: Database, runs: Runs, status: RunStatus
) -> None:
    over, waiting = await claimed(database, "question"), await claimed(database, "question")
    await runs.finish(over, status)
    await requeued(database, waiting)
    for run in (over, waiting):
        with pytest.raises(StaleAttempt):
            await save(database, run, answer("late", run))
        assert await texts(database, run) == ["question"]


async def test_a_write_under_way_holds_the_claim_back_and_lands_wholly_before_it(
    database: Database, dead_worker: Connection
) -> None:
    run = await claimed(database, "question")
    item = to_stored(answer("just in time", run))
    await messages.save(dead_worker, writer_of(run), run.conversation_id or "", item)
    claim = asyncio.create_task(database.across_users.one(_CLAIM, {"id": run.id}))
    await until_blocked(database)
    assert not claim.done()
    assert await texts(database, run) == ["question"]
    await dead_worker.commit()
    assert await claim == {"attempt": 2}
    assert await texts(database, run) == ["question", "just in time"]


async def test_without_the_fences_lock_the_write_would_land_after_the_claim(
    database: Database, dead_worker: Connection
) -> None:
    """The control of the test above: the lock is what does it."""
    run = await claimed(database, "question")
    unlocked = f"{messages.FENCE.replace('FOR SHARE', '')}"
    save_unlocked = f"""
        WITH fence AS ({unlocked}) INSERT INTO messages (conversation_id, id, position, type, content)
        SELECT %(conversation_id)s, 'msg_late', 99, 'assistant_message', 'too late' FROM fence
    """
    parameters = {"run_id": run.id, "attempt": 1, "conversation_id": run.conversation_id}
    await dead_worker.execute(save_unlocked, parameters)
    assert await database.across_users.one(_CLAIM, {"id": run.id}) == {"attempt": 2}
    assert await texts(database, run) == ["question"]
    await dead_worker.commit()
    assert await texts(database, run) == ["question", "too late"]


async def test_a_write_that_comes_while_a_claim_is_under_way_is_refused(
    database: Database, dead_worker: Connection
) -> None:
    run = await claimed(database, "question")
    async with database.across_users.transaction() as claiming:
        await claiming.execute(_CLAIM, {"id": run.id})
        item = to_stored(answer("too late", run))
        late = asyncio.create_task(messages.save(dead_worker, writer_of(run), run.conversation_id or "", item))
        await until_blocked(database)
    with pytest.raises(StaleAttempt):
        await late
    assert await texts(database, run) == ["question"]


async def test_a_message_is_not_stored_in_another_users_conversation(database: Database) -> None:
    mine, theirs = await claimed(database, "mine"), await claimed(database, "theirs", user_id="bob")
    item = to_stored(answer("intruder", theirs))
    async with database.across_users.connection() as connection:
        with pytest.raises(StaleAttempt):
            await messages.save(connection, writer_of(mine), theirs.conversation_id or "", item)
        [row] = await stored(database, theirs)
        await messages.delete(connection, writer_of(mine), theirs.conversation_id or "", row["id"])
        for user_id in ("ann", "nobody"):
            with pytest.raises(NotFound):
                await messages.one(connection, user_id, theirs.conversation_id or "", row["id"])
        assert await messages.some(connection, "ann", theirs.conversation_id or "", [row["id"]]) == []
        assert await messages.of_run(connection, "ann", theirs.conversation_id or "", theirs.id) == []
        assert (await messages.page(connection, "ann", theirs.conversation_id or "", limit=9)).rows == []
    assert await texts(database, theirs) == ["theirs"]


async def test_an_attempt_reads_the_conversation_as_admitted_and_what_it_wrote_itself(database: Database) -> None:
    old = await claimed(database, "question")
    await save(database, old, answer("left behind", old))
    new = await superseded(database, old)
    assert await page_of(database, new, reader=writer_of(new)) == ["question"]
    await save(database, new, answer("said anew", new))
    assert await page_of(database, new, reader=writer_of(new)) == ["question", "said anew"]
    assert await page_of(database, new) == ["question", "left behind", "said anew"]


async def test_what_a_later_attempt_saves_again_is_its_own(database: Database) -> None:
    old = await claimed(database, "question")
    await save(database, old, answer("said", old, item_id="msg_1"))
    await save(database, old, answer("left", old, item_id="msg_2"))
    new = await superseded(database, old)
    await save(database, new, answer("said", new, item_id="msg_1"))
    async with database.across_users.connection() as connection:
        assert await messages.delete_earlier(connection, writer_of(new), ["msg_1"]) == []
        assert await messages.delete_earlier(connection, writer_of(new), None) == ["msg_2"]
    assert await texts(database, new) == ["question", "said"]


async def test_changing_an_earlier_runs_message_does_not_make_it_this_runs(database: Database, runs: Runs) -> None:
    first = await claimed(database, "question")
    await save(database, first, answer("old", first, item_id="msg_1"))
    await runs.finish(first, RunStatus.COMPLETED)
    later = await claimed(database, "again", conversation_id=first.conversation_id)
    await save(database, later, answer("edited", later, item_id="msg_1"))
    newest = await superseded(database, later)
    async with database.across_users.connection() as connection:
        assert await messages.delete_earlier(connection, writer_of(newest), None) == []
    assert await texts(database, later) == ["question", "edited", "again"]


async def test_pages_follow_on_in_both_directions(database: Database) -> None:
    run = await claimed(database, "0")
    for number in range(1, 5):
        await save(database, run, answer(str(number), run))
    for order, expected in (("asc", "01234"), ("desc", "43210")):
        said, after = "", None
        while True:
            async with database.across_users.connection() as connection:
                conversation_id = run.conversation_id or ""
                page = await messages.page(connection, "ann", conversation_id, limit=2, after=after, order=order)
            said += "".join(row["content"] for row in page.rows)
            after = page.after
            assert (after is not None) == page.has_more
            if after is None:
                break
        assert said == expected


@pytest.mark.parametrize("limit", [-1, 0, 1])
async def test_a_page_has_one_message_at_least(database: Database, limit: int) -> None:
    run = await queued(database)
    async with database.across_users.connection() as connection:
        assert len((await messages.page(connection, "ann", run.conversation_id or "", limit=limit)).rows) == 1


async def test_a_page_after_a_message_that_is_not_there_is_not_found(database: Database) -> None:
    run = await queued(database)
    with pytest.raises(NotFound):
        await page_of(database, run, after="msg_gone")


async def test_hidden_context_is_for_the_agent_alone(database: Database) -> None:
    run = await claimed(database, "question")
    hidden = HiddenContextItem(id="hid", thread_id=run.conversation_id or "", created_at=DAY, content="secret")
    await save(database, run, hidden)  # type: ignore[arg-type]
    assert await page_of(database, run) == ["question"]
    assert await page_of(database, run, hidden=True) == ["question", ""]
    async with database.across_users.connection() as connection:
        rows = await messages.of_run(connection, "ann", run.conversation_id or "", run.id)
        assert [row["type"] for row in rows] == ["user_message"]
        assert await messages.of_run(connection, "ann", run.conversation_id or "", run.id, attempt=1) == []


async def test_tool_calls_stay_with_their_message_when_it_is_saved_again(database: Database) -> None:
    run = await claimed(database)
    item, calls = to_stored(answer("done", run, item_id="msg_1")), [{"name": "add", "args": {}, "result": 1}]
    async with database.across_users.connection() as connection:
        await messages.save(connection, writer_of(run), run.conversation_id or "", item, tool_calls=calls)
        await messages.save(connection, writer_of(run), run.conversation_id or "", item)
    assert (await stored(database, run))[-1]["tool_calls"] == calls


async def test_deleting_what_is_not_there_is_no_error(database: Database) -> None:
    run = await claimed(database)
    async with database.across_users.connection() as connection:
        await messages.delete(connection, Writer(run.id, 1, "ann"), run.conversation_id or "", "msg_gone")


def test_an_attachments_metadata_is_not_visible() -> None:
    file = FileAttachment(id="a", name="n", mime_type="text/plain", metadata={"bucket": "b"})
    item = {"id": "m", "attachments": [json.loads(to_stored(file))]}
    assert "bucket" not in json.dumps(messages.visible(item))
    assert messages.visible({"id": "m"}) == {"id": "m"}


def test_the_readable_text_is_what_a_person_would_read() -> None:
    tasks = [CustomTask(title="first"), CustomTask(content="second"), CustomTask()]
    workflow = WorkflowItem(id="w", thread_id="t", created_at=DAY, workflow=Workflow(type="custom", tasks=tasks))
    assert messages.readable(json.loads(to_stored(workflow))) == "first\nsecond"
    for item, text in (
        ({"type": "assistant_message", "content": [{"text": "a"}, {"text": "b"}]}, "ab"),
        ({"type": "user_message", "content": [{"text": "a"}, {"text": "@b"}]}, "a@b"),
        ({"type": "widget", "widget": {}}, ""),
        ({"type": "widget", "copy_text": "c"}, "c"),
        ({"type": "task", "task": {"title": "t"}}, "t"),
        ({"type": "structured_input", "inputs": [{"question": "q?"}]}, "q?"),
        ({"type": "hidden_context_item", "content": "secret"}, ""),
        ({"type": "of a later version"}, ""),
    ):
        assert messages.readable(item) == text
