"""arq, woken by a bell: a queued run is claimed a millisecond or two after its ring, and an idle worker costs nothing.

arq polls; here a message on the bell's channel starts the next poll at once, and a slow poll covers a lost
one. A job only says which run to claim: it is taken out of the queue for good when it is taken, in the one round
trip that looks for it, and no arq retry, time-out or abort has anything to act on. A worker that dies with a taken
ring loses a ring and no run: the sweeper rings again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import structlog
from arq import Worker, func
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import deserialize_job_raw
from arq.utils import timestamp_ms

from shared.channels import REDIS_AWAY
from shared.logging import described
from shared.queue import JOB, QUEUE, deserialize, serialize

logger = structlog.get_logger()

IDLE_POLL = 1.0
PAUSE = 0.5
AT_ONCE = 20
"""Jobs taken in one poll, at most: others than this worker are waiting for some, too."""

# queue → now (ms), how many, prefix of the jobs' keys → the jobs that were waiting
_TAKE = """
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  redis.call('ZREM', KEYS[1], id)
  -- No job: its ring has expired, and the sweeper has rung again since.
  local job = redis.call('GET', ARGV[3] .. id)
  if job then taken[#taken + 1] = job end
  redis.call('DEL', ARGV[3] .. id)
end
return taken
"""


class Doorbell(Worker):
    """Takes as many waiting jobs as `free` says, each time it is woken; `answer` is called with each run id."""

    def __init__(self, redis: ArqRedis, answer: Callable[[str], Awaitable[None]], *, free: Callable[[], int]) -> None:
        async def ring(_: dict[Any, Any], run_id: str) -> None:
            raise AssertionError("jobs are taken, never run by arq")

        super().__init__(
            [func(cast(Any, ring), name=JOB)],
            redis_pool=redis,
            queue_name=QUEUE,
            poll_delay=0,
            handle_signals=False,
            job_serializer=serialize,
            job_deserializer=deserialize,
        )
        self._answer, self._free, self._woken = answer, free, asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self._more_waiting = False
        """The last look left some behind: look again as soon as there is room."""
        self._take = redis.register_script(_TAKE)

    def wake(self) -> None:
        """Look into the queue now."""
        self._woken.set()

    async def _poll_iteration(self) -> None:
        self._woken.clear()
        try:
            await self._take_waiting()
            await self.heart_beat()
        except REDIS_AWAY as error:
            # arq would end its loop here, and with it the worker (python-arq/arq#498).
            logger.warning("queue cannot be read", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
            return
        with suppress(asyncio.TimeoutError):
            # Not wait_for: in Python 3.11 that may swallow a cancellation that comes with the wake.
            async with asyncio.timeout(IDLE_POLL):
                await self._woken.wait()

    async def _take_waiting(self) -> None:
        """Take what is waiting, as far as there is room, and claim it."""
        room = min(self._free() - len(self._answering), AT_ONCE)
        if room <= 0:
            return
        taken: list[bytes] = await self._take(keys=[self.queue_name], args=[timestamp_ms(), room, job_key_prefix])
        for job in taken:
            _, (run_id,), *_ = deserialize_job_raw(job, deserializer=deserialize)
            task = asyncio.create_task(self._claim(run_id))
            self._answering.add(task)
            task.add_done_callback(self._done)
        self._more_waiting = len(taken) == room

    def _done(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        if self._more_waiting:
            self.wake()

    async def _claim(self, run_id: str) -> None:
        try:
            await self._answer(run_id)
        except Exception as error:
            logger.error("ring cannot be answered", run=run_id, **described(error))
