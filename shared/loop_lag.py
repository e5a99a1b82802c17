"""How late a process's event loop is: what its users wait on top of everything else."""

import asyncio
import math

INTERVAL = 0.1
SMOOTHING = 1.0
"""Seconds that the measure looks back: one short stall is soon forgotten, a loop that stays late is soon seen."""


class LoopLag:
    """Measured by a timer: how much later than asked for it comes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """The lag, as a mean over the last second or so."""

    async def measure(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            asked_at = loop.time()
            await asyncio.sleep(INTERVAL)
            self.take(loop.time() - asked_at - INTERVAL)

    def take(self, late: float) -> None:
        """One measurement more, which weighs as much as the time that it took."""
        weight = 1 - math.exp(-(INTERVAL + late) / SMOOTHING)
        self.seconds += weight * (max(late, 0.0) - self.seconds)
