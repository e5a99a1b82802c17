"""arq, woken by a bell: a queued run is claimed a millisecond or two after its ring, and an idle worker costs nothing.

arq polls; here a message on the bell's channel starts the next poll at once, and a slow poll covers a lost
one. A job only claims its run and returns, so none sits in arq's queue while it works, and arq's retries,
time-outs and aborts have nothing to act on. Finding and taking the waiting jobs is one script instead of
arq's five round trips a job; carrying a job out and finishing it stays arq's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

import structlog
from arq import Worker, func
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.utils import timestamp_ms

from shared.channels import REDIS_AWAY
from shared.queue import JOB, QUEUE, deserialize, serialize

logger = structlog.get_logger()

IDLE_POLL = 1.0
PAUSE = 0.5
AT_ONCE = 20
"""Jobs taken in one poll, at most: others than this worker are waiting for some, too."""

# queue → now (ms), how many, prefix of the in-progress keys, their time to live (ms) → {id, score, id, score, …}
_TAKE = """
local taken = {}
local waiting = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, 100)
for i = 1, #waiting, 2 do
  if #taken >= 2 * tonumber(ARGV[2]) then break end
  if redis.call('SET', ARGV[3] .. waiting[i], '1', 'NX', 'PX', ARGV[4]) then
    taken[#taken + 1] = waiting[i]
    taken[#taken + 1] = waiting[i + 1]
  end
end
return taken
"""


class Doorbell(Worker):
    """Takes as many waiting jobs as `free` says, each time it is woken; `answer` is called with each run id."""

    def __init__(self, redis: ArqRedis, answer: Callable[[str], Awaitable[None]], *, free: Callable[[], int]) -> None:
        async def ring(_: dict[Any, Any], run_id: str) -> None:
            await answer(run_id)

        super().__init__(
            [func(cast(Any, ring), name=JOB, timeout=10, keep_result=0, max_tries=1)],
            redis_pool=redis,
            queue_name=QUEUE,
            poll_delay=0,
            keep_result=0,
            retry_jobs=False,
            handle_signals=False,
            log_results=False,
            job_serializer=serialize,
            job_deserializer=deserialize,
        )
        self._free, self._woken = free, asyncio.Event()
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
        """Take what is waiting, as far as there is room, and let arq carry it out."""
        room = min(self._free() - len(self.tasks), AT_ONCE)
        if room <= 0:
            return
        time_to_live = int(self.in_progress_timeout_s * 1000)
        arguments: list[int | str] = [timestamp_ms(), room, in_progress_key_prefix, time_to_live]
        taken: list[bytes] = await self._take(keys=[self.queue_name], args=arguments)
        for name, score in zip(taken[::2], taken[1::2], strict=True):
            job_id = name.decode()
            task = self.tasks[job_id] = self.loop.create_task(self._carry_out(job_id, int(float(score))))
            task.add_done_callback(partial(self._done, job_id))
        self._more_waiting = len(taken) == 2 * room

    def _done(self, job_id: str, _: asyncio.Task[None]) -> None:
        self.tasks.pop(job_id, None)
        if self._more_waiting:
            self.wake()

    async def _carry_out(self, job_id: str, score: int) -> None:
        try:
            await self.run_job(job_id, score)
        except REDIS_AWAY as error:
            logger.warning("job cannot be finished", error=type(error).__name__)
