"""What is old enough is forgotten, and nothing else."""

import pytest

from shared.database import Database
from shared.runs import Runs, RunStatus
from tests.rows import answer, claimed, queued, save
from worker.retention import Retention

pytestmark = pytest.mark.anyio


async def aged(database: Database, table: str, column: str, days: int, name: str) -> None:
    sql = f"UPDATE {table} SET {column} = {column} - make_interval(days => %(d)s) WHERE id = %(id)s"
    assert await database.across_users.run(sql, {"d": days, "id": name}) == 1


async def ended(database: Database, **how: str) -> str:
    """The conversation of a run that has ended, with its answer."""
    run = await claimed(database, **how)
    await save(database, run, answer("hello", run))
    assert await Runs(database).finish(run, RunStatus.COMPLETED)
    assert run.conversation_id is not None
    return run.conversation_id


async def left(database: Database, table: str = "conversations") -> set[str]:
    return {row["id"] for row in await database.across_users.all(f"SELECT id FROM {table}", {})}


async def test_old_conversations_go_with_all_that_is_theirs_and_young_ones_stay(database: Database) -> None:
    old, young, bobs = await ended(database), await ended(database), await ended(database, user_id="bob")
    for conversation_id in (old, bobs):
        await aged(database, "conversations", "updated_at", 31, conversation_id)
    gone = await Retention(database, days=30, journal_days=7).forget()
    assert gone["conversations"] == 2
    assert await left(database) == {young}
    rows = await database.across_users.all("SELECT DISTINCT conversation_id AS id FROM messages", {})
    assert [row["id"] for row in rows] == [young]


async def test_a_conversation_that_is_answering_is_not_old(database: Database) -> None:
    run = await queued(database)
    assert run.conversation_id is not None
    await aged(database, "conversations", "updated_at", 99, run.conversation_id)
    await Retention(database, days=30, journal_days=7).forget()
    assert await left(database) == {run.conversation_id}


async def test_without_a_number_of_days_conversations_stay_for_ever(database: Database) -> None:
    conversation_id = await ended(database)
    await aged(database, "conversations", "updated_at", 9999, conversation_id)
    gone = await Retention(database, days=None, journal_days=7).forget()
    assert "conversations" not in gone
    assert await left(database) == {conversation_id}


async def test_the_journals_of_runs_that_ended_long_ago_go_and_the_others_stay(database: Database) -> None:
    old, young = await claimed(database), await claimed(database)
    for run in (old, young):
        parameters = {"id": run.id}
        await database.of("ann").run(
            "INSERT INTO run_steps (run_id, path, n, fingerprint, response) VALUES (%(id)s, '1', 0, 'f', '{}')",
            parameters,
        )
        await database.of("ann").run(
            """INSERT INTO tool_calls (run_id, path, n, index, name, idempotency_key)
               VALUES (%(id)s, '1', 0, 0, 't', 'k')""",
            parameters,
        )
        await Runs(database).finish(run, RunStatus.COMPLETED)
    await aged(database, "runs", "finished_at", 8, old.id)
    gone = await Retention(database, days=None, journal_days=7).forget()
    assert (gone["model responses"], gone["tool calls"]) == (1, 1)
    for table in ("run_steps", "tool_calls"):
        rows = await database.across_users.all(f"SELECT run_id FROM {table}", {})
        assert [row["run_id"] for row in rows] == [young.id]
    assert await left(database, "runs") == {old.id, young.id}
