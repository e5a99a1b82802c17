"""A primary that dies under sentinels: the answers go on at its replica, and nobody loses or doubles anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from shared.fold import Fold
from tests.deploy.redis_servers import RedisServer, over_tcp, running
from tests.faults.clients import Tab, asking
from tests.faults.waiting import until
from tests.house import House, Servers, free_port, house_of
from tests.talk import messages

SERVICE = "chatkit"
WATCH = """
port {port}
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel down-after-milliseconds {service} 1000
sentinel failover-timeout {service} 10000
"""


@dataclass
class Watched:
    """A primary, its replica, and three sentinels."""

    primary: RedisServer
    replica: RedisServer
    sentinels: list[RedisServer]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/0"

    def ready(self) -> bool:
        """Whether every sentinel knows the two others and the replica, which has caught up."""
        for sentinel in self.sentinels:
            with redis.Redis(port=sentinel.port, decode_responses=True) as client:
                state = client.sentinel_master(SERVICE)
            if (state["num-other-sentinels"], state["num-slaves"]) != (2, 1):
                return False
        with redis.Redis(port=self.replica.port) as client:
            return bool(client.info("replication")["master_link_status"] == "up")


@contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    """Them all, once they know one another."""
    primary = over_tcp(directory / "primary")
    replica = over_tcp(directory / "replica", "--replicaof", "127.0.0.1", str(primary.port))
    sentinels = [_sentinel(directory / f"sentinel{n}", primary.port) for n in range(3)]
    with running(primary, replica, *sentinels):
        servers = Watched(primary, replica, sentinels)
        until(servers.ready, "sentinels that know one another")
        yield servers


def _sentinel(directory: Path, primary: int) -> RedisServer:
    directory.mkdir()
    port, config = free_port(), directory / "sentinel.conf"
    config.write_text(WATCH.format(port=port, service=SERVICE, primary=primary))
    return RedisServer(directory, [str(config), "--sentinel"], port=port)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Redis under sentinels."""
    with watched(tmp_path_factory.mktemp("sentinel")) as servers:
        yield servers


@pytest.fixture(scope="module")
def watched_house(servers: Servers, failing: Watched) -> Iterator[House]:
    """Two APIs and two workers that know the sentinels alone."""
    with house_of(servers, apis=2, workers=2, REDIS_URL=failing.url) as house:
        yield house


@pytest.mark.timeout(240)
def test_a_killed_primary_delays_answers_and_loses_and_doubles_nothing(watched_house: House, failing: Watched) -> None:
    urls = watched_house.urls
    tabs = [Tab([urls[n % 2]], f"user {n}", body=asking("tell me a long story"), key=f"{n}").start() for n in range(4)]
    for tab in tabs:
        tab.admitted()
        until(lambda tab=tab: len(tab.text) > 40, "a beginning")
    failing.primary.kill()
    assert [tab.ended() for tab in tabs] == ["completed"] * 4
    for tab in tabs:
        with watched_house.client(tab.user) as client:
            stored = [one["content"] for one in messages(client, tab.thread_id) if one["role"] == "assistant"]
        assert [tab.text] == stored
        assert len(set(tab.ids)) == len(tab.ids)
        assert isinstance(tab.fold(), Fold)
        assert tab.fold().open_ids() == []
    assert watched_house.sql("SELECT max(attempt) FROM runs") == [(1,)]
    after = Tab(urls, "next", body=asking("add buy milk"), key="next").start().admitted()
    assert after.ended() == "completed"
    with redis.Redis(port=failing.replica.port, decode_responses=True) as client:
        assert client.info("replication")["role"] == "master"
        assert client.exists(f"run:{{{after.run_id}}}:head")
