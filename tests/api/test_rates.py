"""How often a user may ask: exact, each user's own, the same at every process, and nobody's loss without Redis."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from api.rates import Rates
from shared.database import Database
from shared.errors import TooMany
from shared.redis import connect, connect_few
from shared.settings import Settings
from tests.api.conftest import api_of
from tests.sse import user_message

pytestmark = pytest.mark.anyio

ASKED_FOR = ("conversations", "messages", "runs", "idempotency_keys")


@pytest.fixture
async def rates(redis: Redis) -> Rates:
    return Rates(redis, submits=3, requests=5)


@pytest.fixture
async def nowhere() -> AsyncIterator[Redis]:
    client = connect_few("redis://127.0.0.1:1/0", most=2, patience=1.0)
    yield client
    await client.aclose()


async def let_in(rates: Rates, user_id: str, times: int) -> list[bool]:
    async def come() -> bool:
        try:
            await rates.submit(user_id).check()
        except TooMany:
            return False
        return True

    return list(await asyncio.gather(*(come() for _ in range(times))))


async def test_of_many_at_one_moment_exactly_so_many_are_let_in(rates: Rates) -> None:
    assert (await let_in(rates, "ann", 20)).count(True) == 3
    assert (await let_in(rates, "bob", 3)).count(True) == 3


async def test_two_processes_count_together(redis_url: str, rates: Rates) -> None:
    other = connect(redis_url)
    assert (await let_in(rates, "ann", 2)).count(True) == 2
    assert (await let_in(Rates(other, submits=3, requests=5), "ann", 2)).count(True) == 1
    await other.aclose()


async def test_who_is_refused_is_told_when_to_come_again(rates: Rates) -> None:
    await let_in(rates, "ann", 3)
    with pytest.raises(TooMany) as refused:
        await rates.submit("ann").check()
    assert 55 <= int(refused.value.headers["Retry-After"]) <= 60
    assert refused.value.headers["Retry-After"] in str(refused.value.detail)


async def test_messages_and_requests_are_counted_apart(rates: Rates) -> None:
    await let_in(rates, "ann", 3)
    for _ in range(5):
        await rates.request("ann")
    with pytest.raises(TooMany):
        await rates.request("ann")


async def test_without_redis_everybody_is_let_in_and_only_the_first_waits_for_it(nowhere: Redis) -> None:
    rates = Rates(nowhere, submits=1, requests=1)
    assert all(await let_in(rates, "ann", 3))
    began = time.monotonic()
    for _ in range(1000):
        await rates.request("ann")
    assert time.monotonic() - began < 1.0


async def stored(database: Database) -> list[int]:
    rows = [await database.across_users.one(f"SELECT count(*) AS n FROM {table}", {}) for table in ASKED_FOR]
    return [row["n"] for row in rows if row]


async def test_a_message_too_many_is_a_problem_and_is_not_stored(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings(max_submits_per_minute=2)) as api, api.client() as client:
        api.house.closing.set()
        for _ in range(2):
            assert (await client.post("/chatkit", json=user_message("hello"))).status_code == 200
        before = await stored(api.house.database)
        refused = await client.post("/chatkit", json=user_message("hello"))
        assert (refused.status_code, refused.json()["type"]) == (429, "too-many")
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        assert await stored(api.house.database) == before
        simple = await client.post("/chatkit", json={"message": "hello"})
        assert simple.status_code == 429
        listed = await client.post("/chatkit", json={"type": "threads.list", "params": {}})
        assert listed.status_code == 200


async def test_a_message_that_is_sent_again_is_not_one_too_many(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings(max_submits_per_minute=1)) as api, api.client() as client:
        api.house.closing.set()
        key = {"Idempotency-Key": "k"}
        first, again = [await client.post("/chatkit", json=user_message("hello"), headers=key) for _ in range(2)]
        assert first.headers["x-run-id"] == again.headers["x-run-id"]
        assert (await client.post("/chatkit", json=user_message("another"))).status_code == 429


async def test_other_requests_have_a_bound_of_their_own(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings(max_requests_per_minute=3)) as api, api.client() as client:
        statuses = [(await client.get("/api/tasks")).status_code for _ in range(4)]
        protocol = await client.post("/chatkit", json={"type": "threads.list", "params": {}})
        assert statuses == [200, 200, 200, 429]
        assert protocol.status_code == 429
        assert (await client.get("/livez")).status_code == 200
