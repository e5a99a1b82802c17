"""Is the process alive, is the system ready."""

import asyncio
import time
from collections.abc import Callable

import psycopg
import pytest
from redis.asyncio import Redis

from shared.queue import SEEN
from shared.settings import Settings
from tests.api.conftest import Api, api_of
from tests.house import Servers

pytestmark = pytest.mark.anyio


async def test_alive_is_whoever_answers(api: Api) -> None:
    async with api.client(None) as client:
        assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_ready_means_both_servers_and_a_worker(api: Api, redis: Redis) -> None:
    async with api.client(None) as client:
        waiting = await client.get("/readyz")
        assert (waiting.status_code, waiting.json()) == (503, {"postgres": True, "redis": True, "worker": False})
        await redis.zadd(SEEN, {"w1": time.time()})
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"postgres": True, "redis": True, "worker": True})


async def test_what_is_missing_is_said(api_settings: Callable[..., Settings], servers: Servers, redis: Redis) -> None:
    url = servers.new_database()
    await redis.zadd(SEEN, {"w1": time.time()})
    async with api_of(api_settings(database_url=url)) as api, api.client(None) as client:
        assert (await client.get("/readyz")).status_code == 200
        await asyncio.to_thread(drop, servers, url)
        gone = await client.get("/readyz")
    assert (gone.status_code, gone.json()) == (503, {"postgres": False, "redis": True, "worker": True})


def drop(servers: Servers, url: str) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_the_redis_of_the_logs_is_asked_where_it_is_another(
    api_settings: Callable[..., Settings], redis: Redis
) -> None:
    await redis.zadd(SEEN, {"w1": time.time()})
    async with api_of(api_settings(events_redis_url="unix:///nowhere/redis.sock")) as api, api.client(None) as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"postgres": True, "redis": False, "worker": True})
