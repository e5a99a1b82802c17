"""What every test may ask for: servers for the session, a house of processes, the parts in this process."""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from redis.asyncio import Redis as RedisClient

from local.postgres import Postgres
from local.redis import Redis
from shared.channels import Channels
from shared.database import Database
from shared.event_log import EventLog
from shared.queue import Queue
from shared.queue import connect as connect_queue
from shared.redis import connect
from shared.runs import Runs
from tests import chromium
from tests.contract.houses import houses
from tests.deploy import pgbouncer, proxies, redis_servers
from tests.house import House, Servers, as_application, house_of

QUIET = 3600.0
"""Seconds: the event log's safety net never comes in a test, so what arrives came by the mechanism itself."""

_numbers = count(5000)


class ManyDatabases(Redis):
    """A Redis with a number of its own for every house and every test."""

    def _command(self) -> list[str]:
        return [*super()._command(), "--databases", "10000"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what a suite that is green here has not tried."""
    tried = {
        chromium.MISSING: chromium.CHROMIUM,
        proxies.MISSING: proxies.NGINX,
        pgbouncer.MISSING: pgbouncer.PGBOUNCER,
        redis_servers.WITHOUT_TLS: redis_servers.REDIS_SERVER,
    }
    for missing, tool in tried.items():
        if tool is None:
            terminalreporter.write_line(missing)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A Postgres and a Redis, started once."""
    directory: Path = tmp_path_factory.mktemp("servers")
    postgres, redis = Postgres(directory / "postgres", durable=False), ManyDatabases(directory / "redis", durable=False)
    postgres.start()
    redis.start()
    yield Servers(postgres, redis)
    redis.stop()
    postgres.stop()


@pytest.fixture(scope="session")
def house(servers: Servers) -> Iterator[House]:
    """One API, one worker, the scripted model: for tests that only talk to it."""
    with house_of(servers) as running:
        yield running


@pytest.fixture(scope="session")
def contract_houses(servers: Servers) -> Iterator[dict[str, House]]:
    """A house for each of the two servers of tests/contract/servers."""
    with houses(servers) as running:
        yield running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def _emptied(servers: Servers) -> Iterator[tuple[str, psycopg.Connection]]:
    url = servers.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        yield url, connection


@pytest.fixture
def database_url(_emptied: tuple[str, psycopg.Connection]) -> str:
    """An empty, migrated database, in the role that our processes have.

    It is emptied for each test, which is fifty times as quick as a new one.
    """
    url, connection = _emptied
    tables = ("conversations", "runs", "tasks", "attachments", "daily_tokens")
    connection.execute("; ".join(f"DELETE FROM {table}" for table in tables))
    return as_application(url)


@pytest.fixture
def owner(_emptied: tuple[str, psycopg.Connection], database_url: str) -> psycopg.Connection:
    """A connection to it of its tables' owner, whom no policy holds."""
    return _emptied[1]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An empty, migrated database."""
    async with Database(database_url, min_size=1) as opened:
        yield opened


@pytest.fixture
def redis_url(servers: Servers) -> str:
    """A Redis of the test's own, empty."""
    return f"{servers.redis.url}?db={next(_numbers)}"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    """A client of it."""
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def channels(redis: RedisClient) -> AsyncIterator[Channels]:
    """A process's subscriptions."""
    async with Channels(redis) as opened:
        yield opened


@pytest.fixture
def event_log(redis: RedisClient, channels: Channels) -> EventLog:
    """The event log, without its safety net."""
    return EventLog(redis, channels, tail=60, quiet=QUIET)


@pytest.fixture
async def queue(redis_url: str) -> AsyncIterator[Queue]:
    """The bell of the workers that listen to the test's Redis."""
    client = await connect_queue(redis_url)
    yield Queue(client)
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def runs(database: Database) -> Runs:
    """The runs' records."""
    return Runs(database)
