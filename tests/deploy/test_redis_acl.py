"""The user of deploy/redis/chatkit.acl can do what this system does, and nothing else."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoPermissionError

from tests.deploy.redis_servers import over_tcp, running
from tests.house import ROOT, House, Servers, house_of
from tests.talk import ended, say, shown_text, submit

PASSWORD = "a password: with / and @"
URL = "redis://chatkit:a%20password%3A%20with%20%2F%20and%20%40@127.0.0.1:{port}/0"


@pytest.fixture(scope="module")
def acl_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that knows this user; the default one is for the test's own questions, by a socket of the loopback."""
    directory: Path = tmp_path_factory.mktemp("acl")
    line = (ROOT / "deploy/redis/chatkit.acl").read_text()
    digest = hashlib.sha256(PASSWORD.encode()).hexdigest()
    users = directory / "users.acl"
    users.write_text(f"user default on nopass ~* &* +@all\n{line.replace('SHA256_OF_THE_PASSWORD', digest)}")
    server = over_tcp(directory / "redis", "--aclfile", str(users))
    with running(server):
        yield server.port


@pytest.fixture(scope="module")
def confined(servers: Servers, acl_port: int) -> Iterator[House]:
    """A house whose every connection to Redis is that user's."""
    with house_of(servers, REDIS_URL=URL.format(port=acl_port)) as house:
        yield house


def refused(root: redis.Redis) -> list[str]:
    """What the user was refused, but for the client's name and version, which Redis 7.0 does not know yet."""
    return [one["object"] for one in root.acl_log() if one["object"] != "client|setinfo"]


def test_an_answer_a_stop_and_a_return_need_no_more_than_the_user_may(confined: House, acl_port: int) -> None:
    with confined.client() as client, redis.Redis(port=acl_port) as root:
        told = say(client, "add buy milk")
        assert "milk" in shown_text(told)
        run_id, _ = submit(client, "tell me a long story")
        assert client.post(f"/runs/{run_id}/cancel").status_code == 202
        assert ended(client, run_id)["status"] == "cancelled"
        assert client.get(f"/runs/{run_id}/events").text.rstrip().endswith(": end cancelled")
        assert client.get("/readyz").status_code == 200
        assert refused(root) == []


def test_stopping_a_worker_needs_no_more_either(confined: House, acl_port: int) -> None:
    worker = confined.start_worker()
    assert worker.stop() == 0
    with redis.Redis(port=acl_port) as root:
        assert refused(root) == []


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG GET *", "ACL LIST", "SET other 1", "PUBLISH other 1", "EVAL return 0"]
)
def test_the_user_may_not(acl_port: int, command: str) -> None:
    with redis.Redis.from_url(URL.format(port=acl_port)) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())
