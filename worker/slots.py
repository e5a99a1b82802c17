"""The runs that this worker is carrying out: started, counted, stopped, waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from shared.errors import StaleAttempt
from shared.logging import described
from shared.runs import LEASE_SECONDS, Claim, RunKind, RunStatus
from worker.current_run import CurrentRun, StoreClosed
from worker.metrics import Outcome
from worker.observed import Account, observed
from worker.stop import StopReason

logger = structlog.get_logger()


class Attempt:
    """One run in work: its task, and the reason it is being stopped for, if it is.

    `lease_until` is when the lease may lapse, by this process's monotonic clock: past it nothing may be written.
    """

    def __init__(self, claim: Claim, lease_until: float) -> None:
        self.run, self.rows, self.lease_until = claim.run, claim.rows, lease_until
        self.current: CurrentRun | None = None
        self.stopped: StopReason | None = None
        self.draining = False
        self.finished = False
        """The record has its terminal status: only the log's end remains to be written."""
        self.task: asyncio.Task[None] | None = None
        self.status: RunStatus | None = None
        """What this attempt has ended its run as."""
        self.records: int | None = None
        """How long the log was then."""
        self.raised = False
        """It failed of something that it has no answer to."""
        self._begun_at = time.monotonic()

    def age(self) -> float:
        """Seconds since the run's admission: by the database's clock until the claim, by this process's since then."""
        assert self.run.lease_until is not None
        claimed_at = self.run.lease_until - timedelta(seconds=LEASE_SECONDS)
        return (claimed_at - self.run.created_at).total_seconds() + time.monotonic() - self._begun_at

    @property
    def failure(self) -> Exception | None:
        """What of our infrastructure failed under it."""
        return self.current.failure if self.current is not None else None

    @property
    def outcome(self) -> Outcome:
        """How it ended, once it has."""
        if self.raised:
            return Outcome.FAILED
        if self.finished:
            return Outcome.ENDED
        if self.stopped is StopReason.LEASE_LOST:
            return Outcome.LEASE_LOST
        if self.stopped is StopReason.SHUTDOWN:
            return Outcome.HANDED_OVER
        # Without a failure, it was the log or the record's end that was refused.
        superseded = self.failure is None or isinstance(self.failure, StaleAttempt)
        return Outcome.SUPERSEDED if superseded else Outcome.ABANDONED

    def begin(self, current: CurrentRun) -> None:
        """The attempt has a state now, which a stop must reach."""
        self.current = current
        current.on_pause_point = self._pause
        current.on_stop_asked = lambda: self.stop(StopReason.USER)

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

    def account(self) -> Account:
        """What it came to, once it has ended."""
        journal = self.current.journal if self.current is not None else None
        return Account(self.outcome, self.status, journal.usage if journal is not None else None, self.records)

    def _pause(self) -> None:
        """Between two turns nothing is half done: a draining worker hands the run over here."""
        if self.draining and self.run.kind == RunKind.RESPOND:
            self.stop(StopReason.SHUTDOWN)
            raise StoreClosed(self.run.id)


class Slots:
    """At most `size` attempts at once; `free` says how many more may be claimed."""

    def __init__(
        self, size: int, execute: Callable[[Attempt], Awaitable[None]], *, on_free: Callable[[], None]
    ) -> None:
        self._size, self._execute, self._on_free = size, execute, on_free
        self._attempts: dict[str, Attempt] = {}
        self.closed = False

    @property
    def free(self) -> int:
        """How many more may be claimed."""
        return 0 if self.closed else max(self._size - len(self._attempts), 0)

    @property
    def attempts(self) -> list[Attempt]:
        return list(self._attempts.values())

    def start(self, claim: Claim, *, lease_until: float) -> None:
        """Carry the claimed run out in a task of its own."""
        attempt = Attempt(claim, lease_until)
        attempt.draining = self.closed
        self._attempts[attempt.run.id] = attempt
        attempt.task = asyncio.create_task(self._carry_out(attempt), name=attempt.run.id)

    def stop(self, run_id: str, reason: StopReason) -> None:
        """Stop the run if it is in work here."""
        if attempt := self._attempts.get(run_id):
            attempt.stop(reason)

    async def drain(self, *, patience: float, grace: float) -> None:
        """Take nothing more; let runs end, or hand them over at a turn's end, and after the patience where they are."""
        self.closed = True
        for attempt in self.attempts:
            attempt.draining = True
        await self._wait(patience)
        for attempt in self.attempts:
            attempt.stop(StopReason.SHUTDOWN)
        await self._wait(grace)

    async def _wait(self, seconds: float) -> None:
        tasks = [attempt.task for attempt in self.attempts if attempt.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _carry_out(self, attempt: Attempt) -> None:
        try:
            with observed(attempt.run, attempt.account):
                await self._execute_logged(attempt)
        finally:
            self._attempts.pop(attempt.run.id, None)
            self._on_free()

    async def _execute_logged(self, attempt: Attempt) -> None:
        try:
            await self._execute(attempt)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            attempt.raised = True
            logger.error("attempt failed", **described(error))
