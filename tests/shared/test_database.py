"""The pool: each statement by itself, transactions that are one, and Postgres away told apart from anything else."""

from contextlib import suppress

import pytest

from shared.database import AWAY, Database, psycopg_url
from shared.tasks import add, of_user

pytestmark = pytest.mark.anyio


async def test_a_statement_is_committed_by_itself(database: Database) -> None:
    async with database.connection() as connection:
        await add(connection, "ann", "milk")
        assert len(await of_user(database, "ann")) == 1


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.transaction() as connection:
            await add(connection, "ann", "milk")
            assert await of_user(database, "ann") == []
            raise ZeroDivisionError
    assert await of_user(database, "ann") == []
    async with database.transaction() as connection:
        await add(connection, "ann", "milk")
    assert len(await of_user(database, "ann")) == 1


async def test_rows_are_had_by_one_all_or_counted(database: Database) -> None:
    numbers = "SELECT * FROM generate_series(1, %(n)s) AS n"
    assert await database.one(numbers, {"n": 0}) is None
    assert await database.one(numbers, {"n": 2}) == {"n": 1}
    assert await database.all(numbers, {"n": 2}) == [{"n": 1}, {"n": 2}]
    assert await database.run("DELETE FROM tasks WHERE id = %(id)s", {"id": "none"}) == 0


async def test_a_postgres_that_is_not_there_is_away() -> None:
    async with Database("postgresql://nobody@/nothing?host=/nowhere", timeout=0.1) as nowhere:
        with pytest.raises(AWAY):
            await nowhere.one("SELECT 1", {})


async def test_a_connection_that_was_cut_is_away_and_the_next_one_is_good(database: Database) -> None:
    with pytest.raises(AWAY):
        await database.one("SELECT pg_terminate_backend(pg_backend_pid())", {})
    while True:
        try:
            assert await database.one("SELECT 1 AS one", {}) == {"one": 1}
            break
        except AWAY:
            continue


async def test_a_mistake_of_ours_is_not_taken_for_postgres_being_away(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_table") as mistake:
        await database.one("SELECT * FROM no_such_table", {})
    assert not isinstance(mistake.value, AWAY)


def test_a_driver_name_in_the_url_is_left_out() -> None:
    assert psycopg_url("postgresql+psycopg://u@h/d?a=b") == "postgresql://u@h/d?a=b"
    assert psycopg_url("postgresql://u@h/d") == "postgresql://u@h/d"
