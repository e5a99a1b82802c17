"""Servers given by URL that do not answer: said with their place, never with their password."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from local.errors import CannotRun
from local.postgres import Postgres
from local.reach import reach_postgres, reach_redis
from local.redis import Redis


@pytest.fixture
def silent() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("reach", "scheme"),
    [(reach_postgres, "postgresql"), (reach_postgres, "postgresql+psycopg"), (reach_redis, "redis")],
)
def test_a_server_that_is_not_there(reach: Callable[[str], None], scheme: str, silent: int) -> None:
    with pytest.raises(CannotRun, match=rf"_URL \(127.0.0.1:{silent}\): .*refused") as refusal:
        reach(f"{scheme}://me:hush@127.0.0.1:{silent}/0")
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("reach", [reach_postgres, reach_redis])
@pytest.mark.parametrize("url", ["nonsense", "amqp://:hush@host:port/0", "postgresql://:hush@[::", "redis://:hush@[::"])
def test_a_url_that_makes_no_sense(reach: Callable[[str], None], url: str) -> None:
    with pytest.raises(CannotRun, match="_URL makes no sense") as refusal:
        reach(url)
    assert "hush" not in str(refusal.value)


def test_servers_that_answer_are_reached(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres", durable=False) as postgres, Redis(tmp_path / "redis") as redis:
        reach_postgres(postgres.url)
        reach_redis(redis.url)
        with pytest.raises(CannotRun, match=r'database "other" does not exist'):
            reach_postgres(postgres.url.replace("/chatkit?", "/other?"))
