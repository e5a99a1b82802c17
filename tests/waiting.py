"""Waiting for what cannot be awaited."""

import asyncio
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds: an end, not a measure."""


async def until(holds: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  (there is no event to wait for)
            await asyncio.sleep(0.002)
