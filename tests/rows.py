"""Rows as the admission writes them, without an API: a conversation, its user's message, a queued run."""

from datetime import datetime
from typing import Any

from chatkit.types import AssistantMessageContent, AssistantMessageItem, UserMessageItem, UserMessageTextContent
from chatkit.types import InferenceOptions as Options

from shared import conversations, messages, runs
from shared.database import Database, Row
from shared.ids import new_id
from shared.messages import Writer
from shared.runs import RunKind, Runs
from shared.shares import ANY_NUMBER
from shared.tables import Run
from shared.wire import to_stored

DAY = datetime(2026, 1, 1)


async def queued(
    database: Database,
    text: str = "hello",
    *,
    user_id: str = "ann",
    conversation_id: str | None = None,
    kind: RunKind = RunKind.RESPOND,
    deadline: float = 60.0,
    at_once: int = ANY_NUMBER,
    **request: Any,
) -> Run:
    """A run that waits for a worker; in a conversation of its own unless one is named."""
    run_id, message = new_id("run"), user_message(text, conversation_id or new_id("thr"))
    async with database.across_users.transaction() as connection:
        if conversation_id is None:
            await conversations.insert(connection, user_id, message.thread_id)
        inserted = await runs.insert(
            connection,
            run_id=run_id,
            user_id=user_id,
            conversation_id=message.thread_id,
            kind=kind,
            request={"message_id": message.id, **request},
            deadline=deadline,
            at_once=at_once,
        )
        await messages.save(connection, Writer(run_id, 0, user_id), message.thread_id, to_stored(message))
        run = await inserted.fetchone()
        assert run is not None
    return run


async def claimed(database: Database, text: str = "hello", **how: Any) -> Run:
    """A run that the worker `w` has just claimed."""
    run = await queued(database, text, **how)
    return (await Runs(database).claim(run.id, "w")).run


async def requeued(database: Database, run: Run) -> None:
    """Back in the queue, as the sweeper puts it there when the lease has lapsed."""
    await database.across_users.run("UPDATE runs SET status = 'queued', owner = NULL WHERE id = %(id)s", {"id": run.id})


async def superseded(database: Database, run: Run) -> Run:
    """The next attempt's claim of a run that was claimed before."""
    await requeued(database, run)
    return (await Runs(database).claim(run.id, "another")).run


async def row_of(database: Database, run: Run) -> Row:
    """The run's record as it is now."""
    row = await database.across_users.one("SELECT * FROM runs WHERE id = %(id)s", {"id": run.id})
    assert row is not None
    return row


async def stored(database: Database, run: Run) -> list[Row]:
    """All messages of the run's conversation, in order."""
    sql = "SELECT * FROM messages WHERE conversation_id = %(id)s ORDER BY position"
    return await database.across_users.all(sql, {"id": run.conversation_id})


async def save(database: Database, run: Run, item: AssistantMessageItem | UserMessageItem) -> None:
    """Store the item in the name of the run's attempt. Raises StaleAttempt."""
    async with database.across_users.connection() as connection:
        assert run.conversation_id is not None
        await messages.save(connection, writer_of(run), run.conversation_id, to_stored(item))


def writer_of(run: Run) -> Writer:
    """The attempt that the run's record speaks of."""
    return Writer(run.id, run.attempt, run.user_id)


def user_message(text: str, conversation_id: str) -> UserMessageItem:
    """What a user says."""
    content = [UserMessageTextContent(text=text)]
    ids = {"id": new_id("msg"), "thread_id": conversation_id, "created_at": DAY}
    return UserMessageItem(**ids, content=content, attachments=[], inference_options=Options())


def answer(text: str, run: Run, *, item_id: str = "") -> AssistantMessageItem:
    """What the assistant says."""
    ids = {"id": item_id or new_id("msg"), "thread_id": run.conversation_id or "", "created_at": DAY}
    return AssistantMessageItem(**ids, content=[AssistantMessageContent(text=text)])
