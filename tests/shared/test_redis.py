"""Connections to Redis."""

import asyncio
import socket

import pytest
from redis.asyncio import Redis
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError

from shared.channels import REDIS_AWAY
from shared.redis import connect, connections

pytestmark = pytest.mark.anyio


async def test_it_answers_in_bytes(redis: Redis) -> None:
    await redis.set("a", "ä")
    assert await redis.get("a") == "ä".encode()


async def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(REDIS_AWAY):
        await connect("unix:///nowhere/redis.sock").ping()


async def test_a_url_over_tcp_is_understood() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionError):
            await connect(f"redis://127.0.0.1:{nobody.getsockname()[1]}/0").ping()


async def test_no_more_connections_are_opened_than_asked_for(redis_url: str) -> None:
    client = connect(redis_url, max_connections=2)
    async with asyncio.timeout(30):
        blocked = [asyncio.create_task(client.blpop(f"list {number}")) for number in range(2)]
        while len([one for one in await connect_list(redis_url) if one["cmd"] == "blpop"]) < 2:
            pass
        with pytest.raises(ConnectionError):
            await client.ping()
    for task in blocked:
        task.cancel()
    await asyncio.gather(*blocked, return_exceptions=True)
    await client.aclose()


async def connect_list(redis_url: str) -> list[dict[str, str]]:
    async with connect(redis_url) as client:
        clients: list[dict[str, str]] = await client.client_list()
        return clients


def test_a_url_of_sentinels_names_them_their_service_and_the_database() -> None:
    pool = connections("redis+sentinel://me:p%2Fw@one:1111,two,[::1]:3333/main/2?sentinel_password=s")
    assert isinstance(pool, SentinelConnectionPool)
    sentinels = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"]) for one in sentinels] == [("one", 1111), ("two", 26379), ("::1", 3333)]
    assert {one["password"] for one in sentinels} == {"s"}
    assert pool.service_name == "main"
    own = {name: pool.connection_kwargs[name] for name in ("username", "password", "db")}
    assert own == {"username": "me", "password": "p/w", "db": 2}


def test_what_the_url_says_wins() -> None:
    assert connections("redis://host/0?max_connections=7", max_connections=3).max_connections == 7


@pytest.mark.parametrize("url", ["redis+sentinel://one:1111", "redis+sentinel:///main", "redis+sentinel://one:x/main"])
def test_a_url_of_sentinels_that_says_too_little_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"sentinel|Port"):
        connections(url)


@pytest.mark.parametrize(
    ("url", "checked"),
    [
        ("rediss://host/0", True),
        ("rediss+sentinel://host/main/0", True),
        ("rediss://host/0?ssl_check_hostname=false", False),
        ("rediss://host/0?ssl_cert_reqs=none", False),
    ],
)
def test_over_tls_the_host_is_checked_unless_told_otherwise(url: str, checked: bool) -> None:
    assert connections(url).connection_kwargs["ssl_check_hostname"] is checked
