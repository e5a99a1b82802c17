"""The second wall: whatever a statement forgets, Postgres shows and changes one user's rows alone.

Generated from the tables' metadata: a table that is added without a policy, or without a row in `filling`, fails here.
"""

from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb
from sqlmodel import SQLModel

import shared.tables  # noqa: F401  (registers the tables)
from shared import messages
from shared.database import Database
from tests.migrations.filling import filling_of

pytestmark = pytest.mark.anyio

TABLES = [table.name for table in SQLModel.metadata.sorted_tables]
OWNER_COLUMNS = ("user_id", "conversation_id", "run_id")

_ROLE = """
SELECT rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_tables WHERE tableowner = current_user) AS owns_tables
FROM pg_roles WHERE rolname = current_user
"""

_GUARDS = """
SELECT relname, relrowsecurity AND relforcerowsecurity AS forced,
    ARRAY(SELECT polcmd::text FROM pg_policy WHERE polrelid = pg_class.oid AND polpermissive) AS policies
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""

_MANY = """
INSERT INTO conversations (id, user_id) SELECT 'thr_' || n, 'user_' || n % 100 FROM generate_series(1, 3000) n;
INSERT INTO conversations (id, user_id) VALUES ('thr_ann', 'ann');
INSERT INTO messages (conversation_id, id, position, type)
SELECT 'thr_ann', 'msg_' || n, n, 'assistant_message' FROM generate_series(1, 10000) n;
ANALYZE conversations, messages
"""

_READ = "SELECT relname, seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables"

_COPY = "INSERT INTO {table} SELECT copy.* FROM jsonb_populate_record(NULL::{table}, %(row)s) AS copy"


@pytest.fixture
async def filled(database: Database) -> Database:
    """A row in every table for ann, and one for ben."""
    async with database.across_users.transaction() as connection:
        for user in ("ann", "ben"):
            await connection.execute(filling_of(user))
    return database


async def rows_of(database: Database, user: str, table: str) -> list[dict[str, Any]]:
    return await database.of(user).all(f"SELECT to_jsonb(t) AS row FROM {table} t", {})


def owner_column(table: str) -> str:
    """What says whose a row is: the user, or the row above."""
    return next(name for name in OWNER_COLUMNS if name in SQLModel.metadata.tables[table].columns)


async def test_the_processes_role_is_one_that_every_policy_holds(database: Database) -> None:
    role = await database.across_users.one(_ROLE, {})
    assert role == {"rolsuper": False, "rolbypassrls": False, "owns_tables": False}


async def test_every_table_is_guarded_from_its_owner_too_and_for_every_command(database: Database) -> None:
    rows = await database.across_users.all(_GUARDS, {})
    assert {row["relname"]: (row["forced"], row["policies"]) for row in rows} == dict.fromkeys(TABLES, (True, ["*"]))


@pytest.mark.parametrize("table", TABLES)
async def test_a_statement_that_forgets_the_owner_sees_its_users_rows_alone(filled: Database, table: str) -> None:
    [anns], [bens] = await rows_of(filled, "ann", table), await rows_of(filled, "ben", table)
    assert "ben" not in str(anns)
    assert "ann" not in str(bens)
    assert len(await filled.across_users.all(f"SELECT * FROM {table}", {})) == 2


@pytest.mark.parametrize("table", TABLES)
async def test_where_nobody_is_named_nothing_is_seen(filled: Database, database_url: str, table: str) -> None:
    async with filled.across_users.connection() as used:
        await used.execute("SELECT 1")
        used.setting = None
        assert await (await used.execute(f"SELECT * FROM {table}")).fetchall() == []
    async with await psycopg.AsyncConnection.connect(database_url) as fresh:
        assert await (await fresh.execute(f"SELECT * FROM {table}")).fetchall() == []


@pytest.mark.parametrize("table", TABLES)
async def test_anothers_rows_cannot_be_changed(filled: Database, table: str) -> None:
    before = await rows_of(filled, "ben", table)
    owning = owner_column(table)
    assert await filled.of("ann").run(f"UPDATE {table} SET {owning} = {owning}", {}) == 1
    assert await filled.of("ann").run(f"DELETE FROM {table} WHERE to_jsonb({table})::text LIKE '%%ben%%'", {}) == 0
    assert await rows_of(filled, "ben", table) == before


@pytest.mark.parametrize("table", TABLES)
async def test_a_row_cannot_be_put_among_anothers(filled: Database, table: str) -> None:
    [bens] = await rows_of(filled, "ben", table)
    owning = owner_column(table)
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        await filled.of("ann").run(_COPY.format(table=table), {"row": Jsonb(bens["row"])})
    with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        await filled.of("ann").run(f"UPDATE {table} SET {owning} = %(value)s", {"value": bens["row"][owning]})


async def test_ten_thousand_messages_among_thousands_of_conversations_are_read_by_their_index(
    database: Database, owner: psycopg.Connection
) -> None:
    """A policy that is planned as a hash of all conversations would be right, and slower with every user."""
    owner.execute(_MANY)
    async with database.of("ann").transaction() as connection:
        page = await messages.page(connection, "ann", "thr_ann", limit=20, order="desc")
        assert [row["position"] for row in page.rows] == list(range(10_000, 9_980, -1))
        after = await messages.page(connection, "ann", "thr_ann", limit=100, after="msg_500")
        assert after.rows[0]["position"] == 501
        read = {row["relname"]: row for row in await (await connection.execute(_READ)).fetchall()}
    assert read["messages"]["seq_scan"] == read["conversations"]["seq_scan"] == 0
    assert read["messages"]["idx_tup_fetch"] < 200
