"""The queue: arq carries the ring, and only the run's id crosses it.

A ring may be lost, late or repeated: the record in Postgres decides, and the sweeper rings again.
"""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any
from uuid import uuid4

from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from arq.utils import timestamp_ms

from shared.channels import REDIS_AWAY
from shared.redis import connections

QUEUE = "chatkit:queue"
JOB = "ring"
BELL = "chatkit:bell"
"""The channel that wakes the workers: `ring`, or `cancel <run id>`."""

SEEN = "chatkit:workers"
"""When each worker was last there: a sorted set by the Unix clock."""
SEEN_SECONDS = 10
"""A worker that has not been seen for so long is not there."""

RING_EXPIRES_SECONDS = 60
"""A ring that nobody heard by then is of no use: the sweeper has long rung again."""


def serialize(value: dict[str, Any]) -> bytes:
    """JSON, never pickle: whoever can write to Redis must not be able to run code in a worker."""
    return json.dumps(value, default=str).encode()


def deserialize(data: bytes) -> dict[str, Any]:
    """The job's parts."""
    job: dict[str, Any] = json.loads(data)
    return job


async def connect(url: str) -> ArqRedis:
    """arq's own client on this Redis, speaking JSON. Raises what Redis raises where it does not answer.

    On connections of ours: arq's own reading of a URL leaves out the options, the CA among them.
    """
    client = ArqRedis(
        connections(url), job_serializer=serialize, job_deserializer=deserialize, default_queue_name=QUEUE
    )
    await client.ping()
    return client


class Queue:
    """Rings the workers' bell."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self.rings = 0
        self._ringing: set[asyncio.Task[None]] = set()

    async def enqueue(self, run_id: str) -> None:
        """Tell the workers of a queued run. A new job each time: arq must not take two rings for one."""
        job_id, now = uuid4().hex, timestamp_ms()
        job = serialize_job(JOB, (run_id,), {}, None, now, serializer=serialize)
        async with self._redis.pipeline(transaction=True) as pipeline:
            # What arq's enqueue_job writes, in one round trip: an id of our own needs no WATCH.
            pipeline.psetex(job_key_prefix + job_id, RING_EXPIRES_SECONDS * 1000, job)
            pipeline.zadd(QUEUE, {job_id: now})
            pipeline.publish(BELL, b"ring")
            await pipeline.execute()
        self.rings += 1

    def ring(self, run_id: str) -> None:
        """The same, soon, and without a word where Redis is away: the sweeper rings again."""
        task = asyncio.create_task(self._enqueue_if_there(run_id))
        self._ringing.add(task)
        task.add_done_callback(self._ringing.discard)

    async def _enqueue_if_there(self, run_id: str) -> None:
        with suppress(*REDIS_AWAY):
            await self.enqueue(run_id)

    async def announce_cancel(self, run_id: str) -> None:
        """Tell the worker that has this run that its end was asked for (it is in Postgres already)."""
        await self._redis.publish(BELL, f"cancel {run_id}")

    async def keep_seen(self, worker: str) -> None:
        """Say that this worker is there, until cancelled; then say that it has gone."""
        try:
            while True:
                with suppress(*REDIS_AWAY):
                    await self._redis.zadd(SEEN, {worker: time.time()})
                    await self._redis.zremrangebyscore(SEEN, "-inf", time.time() - 3600)
                    await self._redis.expire(SEEN, 3600)
                await asyncio.sleep(SEEN_SECONDS / 3)
        finally:
            with suppress(*REDIS_AWAY):
                await self._redis.zrem(SEEN, worker)

    async def ping(self) -> bool:
        """Whether Redis answers. Raises what it raises."""
        return bool(await self._redis.ping())

    async def workers_seen(self) -> int:
        """How many workers have said so within the last ten seconds."""
        return int(await self._redis.zcount(SEEN, time.time() - SEEN_SECONDS, "+inf"))

    async def worker_seen(self) -> bool:
        """Whether one has."""
        return await self.workers_seen() > 0
