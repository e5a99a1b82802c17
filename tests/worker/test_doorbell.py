"""The doorbell: a ring is answered at once, an outage is outlived, and what is not for a full worker stays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis

from local.redis import Redis as RedisServer
from shared.channels import REDIS_AWAY, Channels
from shared.database import Database
from shared.event_log import EventLog
from shared.queue import BELL, QUEUE, Queue, connect
from shared.redis import connect as connect_redis
from tests.rows import queued
from worker.doorbell import Doorbell
from worker.metrics import WorkerMeter
from worker.sweeper import Sweeper

pytestmark = pytest.mark.anyio

PATIENCE = 30.0


class Ear:
    """Who answers the bell: each run id as it comes, and how many more there is room for."""

    def __init__(self, room: int = 100, beside: "Ear | None" = None) -> None:
        self.room = room
        self._heard: asyncio.Queue[str] = beside._heard if beside else asyncio.Queue()
        self.heard: list[str] = []

    async def answer(self, run_id: str) -> None:
        self.room -= 1
        self.heard.append(run_id)
        self._heard.put_nowait(run_id)

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self._heard.get()


@asynccontextmanager
async def listening(url: str, ear: Ear) -> AsyncIterator[Doorbell]:
    """A doorbell, polling, and woken by the bell as a worker's is."""
    redis, client = await connect(url), connect_redis(url)
    doorbell = Doorbell(redis, ear.answer, free=lambda: ear.room)
    async with Channels(client) as channels:
        tasks = [asyncio.create_task(part) for part in (doorbell.async_run(), wake(channels, doorbell))]
        yield doorbell
        assert not any(task.done() for task in tasks), "it stopped listening"
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    await redis.aclose(close_connection_pool=True)
    await client.aclose()


async def wake(channels: Channels, doorbell: Doorbell) -> None:
    async with channels.listen(BELL) as inbox:
        while True:
            await inbox.wait(60)
            inbox.take()
            doorbell.wake()


async def empty(redis: Redis) -> None:
    """Wait until the queue is."""
    async with asyncio.timeout(PATIENCE):
        while await redis.zcard(QUEUE):
            pass


async def test_each_ring_is_answered_once_and_nothing_is_left(redis_url: str, redis: Redis, queue: Queue) -> None:
    ear = Ear()
    async with listening(redis_url, ear):
        rung = [f"run_{number}" for number in range(40)]
        for run_id in rung:
            await queue.enqueue(run_id)
        assert sorted([await ear.next() for _ in rung]) == sorted(rung)
        await empty(redis)
        while await redis.keys("arq:in-progress:*"):
            pass
    assert len(ear.heard) == 40


async def test_a_ring_is_answered_by_one_of_several_workers(redis_url: str, redis: Redis, queue: Queue) -> None:
    one = Ear()
    two = Ear(beside=one)
    async with listening(redis_url, one), listening(redis_url, two):
        for number in range(30):
            await queue.enqueue(f"run_{number}")
        assert len({await one.next() for _ in range(30)}) == 30
        await empty(redis)
    assert len(one.heard) + len(two.heard) == 30


async def test_the_rings_of_a_full_worker_stay_for_others(redis_url: str, redis: Redis, queue: Queue) -> None:
    full, other = Ear(room=2), Ear()
    async with listening(redis_url, full) as doorbell:
        for number in range(5):
            await queue.enqueue(f"run_{number}")
        await full.next()
        await full.next()
        doorbell.wake()
        while await redis.zcard(QUEUE) > 3:
            pass
        async with listening(redis_url, other):
            assert len({await other.next() for _ in range(3)}) == 3
    assert len(full.heard) == 2


async def test_a_worker_that_has_room_again_takes_what_waited(redis_url: str, queue: Queue) -> None:
    ear = Ear(room=0)
    async with listening(redis_url, ear) as doorbell:
        await queue.enqueue("run_1")
        doorbell.wake()
        ear.room = 1
        doorbell.wake()
        assert await ear.next() == "run_1"


async def test_a_ring_whose_answer_fails_is_not_tried_again(redis_url: str, redis: Redis, queue: Queue) -> None:
    class Failing(Ear):
        async def answer(self, run_id: str) -> None:
            await super().answer(run_id)
            raise ZeroDivisionError

    ear = Failing()
    async with listening(redis_url, ear):
        await queue.enqueue("run_1")
        await ear.next()
        await empty(redis)
    assert ear.heard == ["run_1"]


async def test_an_idle_doorbell_outlives_an_outage_and_answers_what_was_queued_meanwhile(
    database: Database, tmp_path: Path
) -> None:
    """The queue itself is gone with its Redis: the run's record is what brings its ring back."""
    with RedisServer(tmp_path / "redis", durable=False) as server:
        ear, client = Ear(), connect_redis(server.url)
        arq_redis = await connect(server.url)
        queue, log = Queue(arq_redis), EventLog(client, Channels(client), tail=60)
        async with listening(server.url, ear):
            await queue.enqueue("run_before")
            assert await ear.next() == "run_before"
            server.kill()
            run = await queued(database)
            with pytest.raises(REDIS_AWAY):
                await queue.enqueue(run.id)
            await asyncio.to_thread(server.start)
            await database.across_users.run("UPDATE runs SET rung_at = clock_timestamp() - interval '9 s'", {})
            await Sweeper(database, log, queue, WorkerMeter()).sweep()
            assert await ear.next() == run.id
        await client.aclose()
        await arq_redis.aclose(close_connection_pool=True)
