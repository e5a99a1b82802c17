"""The pool: each statement by itself, transactions that are one, and Postgres away told apart from anything else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from psycopg.errors import UniqueViolation

from shared.database import AWAY, Database, psycopg_url
from shared.tasks import add, of_user
from tests.house import ROOT, Servers

SOCKET = ".s.PGSQL.5432"

pytestmark = pytest.mark.anyio


class Line:
    """Stands between a client and a Postgres, and counts how often the one has waited for the other."""

    def __init__(self, socket_dir: Path) -> None:
        self._socket = str(socket_dir / SOCKET)
        self.trips = 0
        self._asked = False

    @asynccontextmanager
    async def through(self, directory: Path) -> AsyncIterator[None]:
        """While this lasts, Postgres is found in this directory too."""
        async with await asyncio.start_unix_server(self._connected, directory / SOCKET):
            yield

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._socket)
        await asyncio.gather(self._pass(reader, far_writer, asks=True), self._pass(far_reader, writer, asks=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, asks: bool) -> None:
        while chunk := await reader.read(65536):
            self.trips += asks and not self._asked
            self._asked = asks
            writer.write(chunk)
        writer.close()


async def test_a_statement_is_committed_by_itself(database: Database) -> None:
    async with database.across_users.connection() as connection:
        await add(connection, "ann", "milk")
        assert len(await of_user(database, "ann")) == 1


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    with suppress(ZeroDivisionError):
        async with database.across_users.transaction() as connection:
            await add(connection, "ann", "milk")
            assert await of_user(database, "ann") == []
            raise ZeroDivisionError
    assert await of_user(database, "ann") == []
    async with database.across_users.transaction() as connection:
        await add(connection, "ann", "milk")
    assert len(await of_user(database, "ann")) == 1


async def test_rows_are_had_by_one_all_or_counted(database: Database) -> None:
    numbers = "SELECT * FROM generate_series(1, %(n)s) AS n"
    assert await database.across_users.one(numbers, {"n": 0}) is None
    assert await database.across_users.one(numbers, {"n": 2}) == {"n": 1}
    assert await database.across_users.all(numbers, {"n": 2}) == [{"n": 1}, {"n": 2}]
    assert await database.across_users.run("DELETE FROM tasks WHERE id = %(id)s", {"id": "none"}) == 0


async def test_a_user_is_said_for_one_statement_or_one_transaction(database: Database) -> None:
    # A connection that has never been told has NULL there, one that has been an empty text.
    setting = "coalesce(current_setting('chatkit.{0}', true), '') AS {0}"
    said = f"SELECT {setting.format('user_id')}, {setting.format('scope')}"
    async with database.of("ann").connection() as connection:
        assert await (await connection.execute(said)).fetchone() == {"user_id": "ann", "scope": ""}
        connection.setting = None
        assert await (await connection.execute(said)).fetchone() == {"user_id": "", "scope": ""}
    async with database.across_users.transaction() as connection:
        assert await (await connection.execute(said)).fetchone() == {"user_id": "", "scope": "all"}
    async with database.of("o'neil; --").transaction() as connection:
        assert await (await connection.execute(said)).fetchone() == {"user_id": "o'neil; --", "scope": ""}


async def test_an_error_is_the_statements_own_and_the_connection_good_after_it(database: Database) -> None:
    async with database.of("ann").connection() as connection:
        for _ in range(8):  # past the number of times after which a statement is prepared
            with suppress(UniqueViolation):
                await connection.execute("INSERT INTO tasks (id, user_id, title) VALUES ('task', 'ann', 'milk')")
                continue
        with pytest.raises(UniqueViolation):
            await connection.execute("INSERT INTO tasks (id, user_id, title) VALUES ('task', 'ann', 'milk')")
        assert len(await (await connection.execute("SELECT * FROM tasks")).fetchall()) == 1


async def test_whose_rows_are_seen_is_said_without_a_round_trip_more(
    database_url: str, servers: Servers, tmp_path: Path
) -> None:
    line, ours = Line(servers.postgres.socket_dir), f"host={tmp_path}"
    url = database_url.replace(f"host={servers.postgres.socket_dir}", ours)
    async with line.through(tmp_path), Database(url, min_size=1, max_size=1) as database:
        ann = database.of("ann")
        await ann.one("SELECT 1", {})
        line.trips = 0
        for number in range(10):
            await ann.one("SELECT id FROM tasks WHERE id = %(id)s", {"id": "none"})
            assert line.trips == number + 1
        line.trips = 0
        async with ann.transaction() as connection:
            await connection.execute("SELECT 1")
            await connection.execute("SELECT 2")
        assert line.trips == len(("BEGIN", "1", "2", "COMMIT"))


async def test_a_postgres_that_is_not_there_is_away() -> None:
    async with Database("postgresql://nobody@/nothing?host=/nowhere", timeout=0.1) as nowhere:
        with pytest.raises(AWAY):
            await nowhere.across_users.one("SELECT 1", {})


async def test_a_connection_that_was_cut_is_away_and_the_next_one_is_good(database: Database) -> None:
    with pytest.raises(AWAY):
        await database.across_users.one("SELECT pg_terminate_backend(pg_backend_pid())", {})
    while True:
        try:
            assert await database.across_users.one("SELECT 1 AS one", {}) == {"one": 1}
            break
        except AWAY:
            continue


async def test_a_mistake_of_ours_is_not_taken_for_postgres_being_away(database: Database) -> None:
    with pytest.raises(Exception, match="no_such_table") as mistake:
        await database.across_users.one("SELECT * FROM no_such_table", {})
    assert not isinstance(mistake.value, AWAY)


def test_the_door_to_everybodys_rows_is_opened_in_these_places_alone() -> None:
    opened = {}
    for path in (path for room in ("api", "worker", "shared") for path in (ROOT / room).rglob("*.py")):
        if count := path.read_text().count("database.across_users"):
            opened[str(path.relative_to(ROOT))] = count
    assert opened == {
        "api/attachments.py": 1,  # by a signed address, which names no user
        "api/census.py": 1,  # how many wait, for the metrics
        "api/gate.py": 1,  # the queue's length
        "api/health.py": 1,
        "shared/runs.py": 1,  # a claim by id
        "shared/standings.py": 1,  # places in the queue
        "worker/collector.py": 1,
        "worker/lease.py": 1,
        "worker/retention.py": 1,
        "worker/timeline.py": 2,  # an operator knows a run by its id
        "worker/sweeper.py": 3,
    }


def test_a_driver_name_in_the_url_is_left_out() -> None:
    assert psycopg_url("postgresql+psycopg://u@h/d?a=b") == "postgresql://u@h/d?a=b"
    assert psycopg_url("postgresql://u@h/d") == "postgresql://u@h/d"
