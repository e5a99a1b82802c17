"""arq, woken by a bell: a queued run is claimed a millisecond after its ring, and an idle worker costs nothing.

arq polls; here a message on the bell's channel starts the next poll at once, and a slow poll covers a lost
one. A job only claims its run and returns, so none sits in arq's queue while it works, and arq's retries,
time-outs and aborts have nothing to act on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import structlog
from arq import Worker, func
from arq.connections import ArqRedis

from shared.channels import REDIS_AWAY
from shared.queue import JOB, QUEUE, deserialize, serialize

logger = structlog.get_logger()

IDLE_POLL = 1.0
PAUSE = 0.5


class Doorbell(Worker):
    """Polls the queue when woken, while `free` says so; `answer` is called with each run id."""

    def __init__(
        self, redis: ArqRedis, answer: Callable[[str], Awaitable[None]], *, free: Callable[[], bool], slots: int
    ) -> None:
        async def ring(_: dict[Any, Any], run_id: str) -> None:
            await answer(run_id)

        super().__init__(
            [func(cast(Any, ring), name=JOB, timeout=10, keep_result=0, max_tries=1)],
            redis_pool=redis,
            queue_name=QUEUE,
            poll_delay=0,
            max_jobs=min(slots, 20),
            keep_result=0,
            retry_jobs=False,
            handle_signals=False,
            log_results=False,
            job_serializer=serialize,
            job_deserializer=deserialize,
        )
        self._free, self._woken = free, asyncio.Event()

    def wake(self) -> None:
        """Look into the queue now."""
        self._woken.set()

    async def _poll_iteration(self) -> None:
        self._woken.clear()
        self.allow_pick_jobs = self._free()
        try:
            await super()._poll_iteration()
        except REDIS_AWAY as error:
            # arq would end its loop here, and with it the worker (python-arq/arq#498).
            logger.warning("queue cannot be read", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
            return
        with suppress(asyncio.TimeoutError):
            # Not wait_for: in Python 3.11 that may swallow a cancellation that comes with the wake.
            async with asyncio.timeout(IDLE_POLL):
                await self._woken.wait()

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self.wake()
