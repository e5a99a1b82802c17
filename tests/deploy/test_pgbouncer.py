"""Behind PgBouncer in transaction mode: every statement may go over another connection, and all is as ever."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.database import Database
from tests.deploy.pgbouncer import (
    MISSING,
    PGBOUNCER,
    SERVER_CONNECTIONS,
    clients_and_servers,
    pooled,
    through,
    version,
)
from tests.faults.clients import Tab, asking
from tests.faults.waiting import until
from tests.house import House, Process, Servers, as_application, house_of
from tests.talk import ended, messages, say, shown_text

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason=MISSING)

BURST = 40


@pytest.fixture(scope="module")
def port(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The pooler's."""
    with pooled(servers.postgres, tmp_path_factory.mktemp("pooler")) as number:
        yield number


@pytest.fixture(scope="module")
def pooled_house(servers: Servers, port: int) -> Iterator[House]:
    """An API and two workers whose every statement goes through the pooler."""
    with house_of(servers, apis=0, workers=0, DATABASE_PREPARE="0") as house:
        house.env["DATABASE_URL"] = through(port, as_application(house.database_url))
        house.start_api(wait=False)
        for _ in range(2):
            house.start_worker(wait=False)
        house.until_ready()
        yield house


def owner_of(house: House, tab: Tab) -> Process:
    """The worker that carries the tab's run out."""
    query = "SELECT owner FROM runs WHERE id = %s AND owner IS NOT NULL"
    owner = until(lambda: house.sql(query, tab.run_id), "an owner")[0][0]
    return next(worker for worker in house.workers if f'"{owner}"' in worker.text)


def test_an_answer_is_given_and_stored(pooled_house: House) -> None:
    with pooled_house.client() as client:
        received = say(client, "add buy milk")
        thread_id = received[0].data["thread"]["id"]
        assert messages(client, thread_id)[-1]["content"] == shown_text(received) != ""


def test_a_killed_workers_answer_is_taken_over(pooled_house: House) -> None:
    tab = Tab([pooled_house.url], "survivor", body=asking("tell me a long story")).start().admitted()
    until(lambda: len(tab.text) > 40, "a beginning")
    owner_of(pooled_house, tab).kill()
    pooled_house.start_worker(wait=False)
    assert tab.ended() == "completed"
    with pooled_house.client("survivor") as client:
        assert ended(client, tab.run_id or "")["attempt"] == 2
        assert [tab.text] == [one["content"] for one in messages(client, tab.thread_id)[1:]]


def test_a_burst_shares_a_handful_of_connections(pooled_house: House, port: int) -> None:
    tabs = [Tab([pooled_house.url], f"user {n}", body=asking("hello")).start() for n in range(BURST)]
    assert [tab.ended() for tab in tabs] == ["completed"] * BURST
    assert all(tab.text for tab in tabs)
    clients, servers = clients_and_servers(port)
    assert servers <= SERVER_CONNECTIONS < clients


@pytest.mark.skipif(PGBOUNCER is not None and version() >= (1, 21), reason="this PgBouncer keeps them apart itself")
def test_statements_that_the_server_prepares_are_what_breaks_without_the_setting(
    servers: Servers, tmp_path: Path
) -> None:
    with pooled(servers.postgres, tmp_path, size=1) as port:
        url = through(port, servers.postgres.url)
        with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url, autocommit=True) as other:
            one.execute("SELECT 1", prepare=True)
            with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
                other.execute("SELECT 2", prepare=True)


@pytest.mark.anyio
async def test_whose_rows_are_seen_does_not_stay_on_the_connection_that_all_share(
    servers: Servers, tmp_path: Path
) -> None:
    add = "INSERT INTO tasks (id, user_id, title) VALUES (%(user)s, %(user)s, 'milk')"
    look = "SELECT user_id FROM tasks"
    with pooled(servers.postgres, tmp_path, size=1) as port:
        url = through(port, as_application(servers.new_database()))
        async with (
            Database(url, prepare=False) as database,
            await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=None) as nobody,
        ):

            async def lives(user: str) -> None:
                scope = database.of(user)
                await scope.run(add, {"user": user})
                for _ in range(20):
                    assert [row["user_id"] for row in await scope.all(look, {})] == [user]
                    async with scope.transaction() as connection:
                        assert (await (await connection.execute(look)).fetchall()) == [{"user_id": user}]
                    assert await (await nobody.execute(look)).fetchall() == []

            await asyncio.gather(*(lives(f"user {n}") for n in range(10)))
            assert len(await database.across_users.all(look, {})) == 10
