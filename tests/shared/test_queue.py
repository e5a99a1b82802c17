"""The queue: a ring carries a run's id and nothing else, and nothing that is read from it is executed."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from shared.channels import REDIS_AWAY, Channels
from shared.queue import BELL, JOB, QUEUE, SEEN, SEEN_SECONDS, Queue, connect, deserialize, serialize

pytestmark = pytest.mark.anyio


async def jobs(redis: Redis) -> list[dict[str, object]]:
    """The jobs in the queue, as a worker would read them."""
    ids = await redis.zrange(QUEUE, 0, -1)
    return [json.loads(await redis.get(b"arq:job:" + job_id)) for job_id in ids]


async def test_a_ring_is_a_job_with_the_runs_id_and_nothing_else(redis: Redis, queue: Queue) -> None:
    await queue.enqueue("run_1")
    [job] = await jobs(redis)
    assert (job["f"], job["a"], job["k"]) == (JOB, ["run_1"], {})


async def test_two_rings_for_one_run_are_two_jobs(redis: Redis, queue: Queue) -> None:
    await queue.enqueue("run_1")
    await queue.enqueue("run_1")
    assert [job["a"] for job in await jobs(redis)] == [["run_1"], ["run_1"]]


async def test_a_ring_wakes_whoever_hears_the_bell(channels: Channels, queue: Queue) -> None:
    async with channels.listen(BELL) as inbox:
        await queue.enqueue("run_1")
        await queue.announce_cancel("run_2")
        heard: list[bytes] = []
        while len(heard) < 2:
            await inbox.wait(30)
            heard += inbox.take()[1]
    assert heard == [b"ring", b"cancel run_2"]


async def test_a_ring_that_nobody_heard_goes_by_itself(redis: Redis, queue: Queue) -> None:
    await queue.enqueue("run_1")
    [job_id] = await redis.zrange(QUEUE, 0, -1)
    assert 0 < await redis.ttl(b"arq:job:" + job_id) <= 60


async def test_a_worker_is_seen_until_it_goes_or_is_silent(redis: Redis, queue: Queue) -> None:
    assert not await queue.worker_seen()
    saying = asyncio.create_task(queue.keep_seen("w1"))
    while not await queue.worker_seen():
        pass
    await redis.zincrby(SEEN, -SEEN_SECONDS, "w1")
    assert not await queue.worker_seen()
    await redis.zincrby(SEEN, SEEN_SECONDS, "w1")
    assert await queue.worker_seen()
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    assert not await queue.worker_seen()


async def test_a_redis_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(REDIS_AWAY):
        await connect("unix:///nowhere/redis.sock")


async def test_the_queue_answers_a_ping(queue: Queue) -> None:
    assert await queue.ping()


def test_a_job_is_json_and_never_a_pickle() -> None:
    assert deserialize(serialize({"a": [1, "b", None]})) == {"a": [1, "b", None]}
    assert serialize({"a": object}) == b'{"a": "<class \'object\'>"}'
    with pytest.raises(UnicodeDecodeError):
        deserialize(b"\x80\x04\x95\x10")
