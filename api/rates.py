"""How often a user may ask, counted in Redis for all API processes together.

The count protects; it is no record of anything. So nobody is refused for want of it: with Redis away, or too slow,
everybody is let in, and the gate's own bounds (api/gate.py) still stand.
"""

import asyncio
import math
import time
from typing import Any

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import Redis

from shared.channels import REDIS_AWAY
from shared.errors import TooMany

logger = structlog.get_logger()

KEY_PREFIX = "chatkit:rate"
PATIENCE_SECONDS = 2.0
QUIET_SECONDS = 2.0
"""For so long Redis is not asked again after it has failed: its being away must not slow every request down."""


class Rates:
    """Counts what each user asks for in the last minute, exactly, and refuses what is too much."""

    def __init__(self, redis: Redis, *, submits: int, requests: int) -> None:
        # The address is not used where there is a pool; the library wants one all the same.
        pool: Any = redis.connection_pool
        storage = RedisStorage("async+redis://", implementation="redispy", key_prefix=KEY_PREFIX, connection_pool=pool)
        self._limiter = MovingWindowRateLimiter(storage)
        self._submits, self._requests = RateLimitItemPerMinute(submits), RateLimitItemPerMinute(requests)
        self._quiet_until = float("-inf")

    def submit(self, user_id: str) -> "Counting":
        """Begin to count one more run; whether there is room for it is asked of what this gives."""
        return Counting(asyncio.create_task(self._wait(self._submits, "submit", user_id)))

    async def request(self, user_id: str) -> None:
        """Count one more of everything else. Raises TooMany with the seconds until there is room for it."""
        if seconds := await self._wait(self._requests, "request", user_id):
            raise TooMany(f"Too many requests within a minute. Try again in {seconds} seconds.", retry_after=seconds)

    async def _wait(self, limit: RateLimitItemPerMinute, kind: str, user_id: str) -> int:
        """The seconds until there is room; 0 where there is, and this one is counted."""
        if time.monotonic() < self._quiet_until:
            return 0
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if await self._limiter.hit(limit, kind, user_id):
                    return 0
                window = await self._limiter.get_window_stats(limit, kind, user_id)
        except REDIS_AWAY as error:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            logger.warning("rates cannot be counted", error=type(error).__name__)
            return 0
        return max(math.ceil(window.reset_time - time.time()), 1)


class Counting:
    """A count on its way, while its request does something else."""

    def __init__(self, wait: asyncio.Task[int]) -> None:
        self._wait = wait

    async def check(self) -> None:
        """Raises TooMany with the seconds until there is room."""
        if seconds := await self._wait:
            raise TooMany(f"Too many messages within a minute. Try again in {seconds} seconds.", retry_after=seconds)
