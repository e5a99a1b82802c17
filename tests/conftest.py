"""What every test may ask for: servers for the session, a house of processes, the parts in this process."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.postgres import Postgres
from local.redis import Redis
from shared.database import Database
from tests.house import House, Servers, house_of


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A Postgres and a Redis, started once."""
    directory: Path = tmp_path_factory.mktemp("servers")
    postgres, redis = Postgres(directory / "postgres", durable=False), Redis(directory / "redis", durable=False)
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


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def database(servers: Servers) -> AsyncIterator[Database]:
    """An empty, migrated database of the test's own."""
    async with Database(servers.new_database()) as opened:
        yield opened
