"""The runs that this worker is carrying out: started, counted, stopped, waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from shared.logging import described
from shared.tables import Run
from worker.current_run import CurrentRun
from worker.stop import StopReason

logger = structlog.get_logger()


class Attempt:
    """One run in work: its task, and the reason it is being stopped for, if it is."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.current: CurrentRun | None = None
        self.stopped: StopReason | None = None
        self.finished = False
        """The record has its terminal status: only the log's end remains to be written."""
        self.task: asyncio.Task[None] | None = None
        self.lease_good_until = time.monotonic()

    def stop(self, reason: StopReason) -> None:
        """Stop it once. Unless it is the user's Stop, the attempt's store closes first: nothing half-said lands."""
        if self.stopped is not None or self.finished or self.task is None:
            return
        self.stopped = reason
        if self.current is not None:
            self.current.open = reason is StopReason.USER
            for result in self.current.results:
                result.cancel()
        self.task.cancel()


class Slots:
    """At most `size` attempts at once; `free` says whether another may be claimed."""

    def __init__(
        self, size: int, execute: Callable[[Attempt], Awaitable[None]], *, on_free: Callable[[], None]
    ) -> None:
        self._size, self._execute, self._on_free = size, execute, on_free
        self._attempts: dict[str, Attempt] = {}
        self.closed = False

    @property
    def free(self) -> bool:
        return not self.closed and len(self._attempts) < self._size

    @property
    def attempts(self) -> list[Attempt]:
        return list(self._attempts.values())

    def start(self, run: Run) -> None:
        """Carry the claimed run out in a task of its own."""
        attempt = Attempt(run)
        self._attempts[run.id] = attempt
        attempt.task = asyncio.create_task(self._carry_out(attempt), name=run.id)

    def stop(self, run_id: str, reason: StopReason) -> None:
        """Stop the run if it is in work here."""
        if attempt := self._attempts.get(run_id):
            attempt.stop(reason)

    async def close(self, seconds: float) -> None:
        """Take nothing more, stop what is in work, and wait for it at most so long."""
        self.closed = True
        tasks = [attempt.task for attempt in self.attempts if attempt.task is not None]
        for attempt in self.attempts:
            attempt.stop(StopReason.SHUTDOWN)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _carry_out(self, attempt: Attempt) -> None:
        try:
            await self._execute(attempt)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            logger.error("attempt failed", run=attempt.run.id, attempt=attempt.run.attempt, **described(error))
        finally:
            del self._attempts[attempt.run.id]
            self._on_free()
