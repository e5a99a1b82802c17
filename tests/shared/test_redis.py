"""Connections to Redis."""

import asyncio
import socket

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from shared.channels import REDIS_AWAY
from shared.redis import connect

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
