"""An embedded Redis that can be stopped, killed and found again under the same address."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import redis

from local.errors import CannotRun
from local.redis import Redis
from tests.local.processes import eventually, parent, runs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis") / "data") as server:
        yield server


@pytest.fixture
def client(server: Redis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


def setting(client: redis.Redis, name: str) -> str:
    return cast(dict[str, str], client.config_get(name))[name]


def test_it_never_evicts_and_keeps_an_append_only_file(client: redis.Redis) -> None:
    assert setting(client, "maxmemory-policy") == "noeviction"
    assert setting(client, "appendonly") == "yes"
    assert setting(client, "appendfsync") == "everysec"


def test_the_network_does_not_see_it(server: Redis, client: redis.Redis) -> None:
    assert setting(client, "port") == "0"
    assert server.data_dir.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("interruption", [Redis.stop, Redis.kill])
def test_data_and_address_outlive(server: Redis, client: redis.Redis, interruption: Callable[[Redis], None]) -> None:
    client.set("word", interruption.__name__)
    interruption(server)
    assert not server.alive
    server.start()
    assert client.get("word") == interruption.__name__


def test_without_durability_it_comes_back_empty(tmp_path: Path) -> None:
    with Redis(tmp_path / "data", durable=False) as server, redis.Redis.from_url(server.url) as client:
        client.set("word", "gone")
        server.restart()
        assert client.get("word") is None


def test_a_server_that_someone_left_running_is_ended_first(tmp_path: Path) -> None:
    lost = Redis(tmp_path / "data")
    lost.start()
    lost._lock.release()
    with Redis(tmp_path / "data") as server:
        assert not runs(lost.pid)
        assert runs(server.pid)


def test_a_second_server_on_the_same_data_is_refused(server: Redis) -> None:
    with pytest.raises(CannotRun, match="in use by another process"):
        Redis(server.data_dir).start()


def test_a_killed_parent_leaves_no_server_behind(tmp_path: Path) -> None:
    lines = (
        "from local.redis import Redis\n"
        "from pathlib import Path\n"
        f"server = Redis(Path({str(tmp_path / 'data')!r}))\n"
        "server.start()\n"
        "print(server.pid)"
    )
    with parent(lines) as (killed, pid):
        killed.send_signal(signal.SIGKILL)
        eventually(lambda: not runs(pid))
