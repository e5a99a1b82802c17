"""The run that the current task is carrying out: found by the store and the runner without being passed along.

A team's server may build any request context of its own, so nothing of ours can travel in it; a context
variable follows the task into everything the server starts, threads included.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents import AgentsException
from chatkit.errors import CustomStreamError
from chatkit.types import ThreadMetadata
from psycopg import Error as PostgresError
from psycopg_pool import PoolTimeout

from shared.bounds import Bound
from shared.database import Row
from shared.errors import RunError, StaleAttempt
from shared.messages import Writer
from shared.records import Record
from shared.tables import Run
from worker.bounds import UNBOUNDED, Bounds, bound_passed
from worker.metrics import WorkerMeter


class Cancellable(Protocol):
    """An agent's streamed result: what can really end a model call."""

    def cancel(self) -> None: ...


class StoreClosed(RunError):
    """The attempt is being stopped for another reason than Stop: nothing half-said may land."""


@dataclass(slots=True)
class CurrentRun:
    """One attempt's state in this process."""

    run: Run
    say: Callable[[Record], None]
    """Append a record to the run's log."""
    bounds: Bounds = UNBOUNDED
    rows: dict[tuple[str, str | None], Row] = field(default_factory=dict)
    """What the claim has brought (`shared.runs.Claim`): each row answers one load."""
    passed: Bound | None = None
    """The bound that has ended the run."""
    open: bool = True
    """False once the attempt's store is closed."""
    journal: Any = None
    """The attempt's Journal; Any, because the journal knows the run and not the other way round."""
    on_pause_point: Callable[[], None] | None = None
    on_stop_asked: Callable[[], None] | None = None
    """Called when the database says, before the bell does, that the user has asked for a Stop."""
    failure: Exception | None = None
    """An infrastructure failure, kept because the SDK's loop turns every exception into an error event."""
    results: list[Cancellable] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    """Finished tool calls (name, args, result) that no stored assistant message carries yet."""
    threads: dict[str, ThreadMetadata] = field(default_factory=dict)
    """Threads as they were last loaded or saved: what differs is what a save writes."""
    settled: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Items that earlier attempts have shown whole and this one has not said yet, as they were shown."""
    retracted: set[str] = field(default_factory=set)
    """Ids that were taken back: none of them is used again."""
    meter: WorkerMeter = field(default_factory=WorkerMeter)
    """The worker's; one of its own that nobody reads for a run outside of a worker."""
    _minted: dict[str, int] = field(default_factory=dict)
    turn_starts_at: int = 0
    """How many of the agent's input items are history."""

    @property
    def writer(self) -> Writer:
        return Writer(self.run.id, self.run.attempt, self.run.user_id)

    def mint(self, prefix: str) -> str:
        """The run's next id of this kind: the same in every attempt, but for those that were retracted."""
        while True:
            number = self._minted[prefix] = self._minted.get(prefix, 0) + 1
            item_id = f"{prefix}_{self.run.id.removeprefix('run_')}_{number}"
            if item_id not in self.retracted:
                return item_id

    def pause_point(self) -> None:
        """A turn boundary: where a draining worker may hand the run over with nothing half done."""
        if self.on_pause_point is not None:
            self.on_pause_point()

    def stop_asked(self) -> None:
        """The user has asked for a Stop, and this attempt is the first here to know."""
        if self.on_stop_asked is not None:
            self.on_stop_asked()

    @contextmanager
    def failures_kept(self) -> Iterator[None]:
        """A failure of ours in the body is noted: the SDK's loop makes an error of the answer's of every exception."""
        try:
            yield
        except (PostgresError, PoolTimeout, StaleAttempt) as error:
            self.failure = self.failure or error
            raise

    @contextmanager
    def bounds_in_words(self) -> Iterator[None]:
        """An error that leaves the body because of a bound is noted, and becomes one whose sentence the SDK shows."""
        try:
            yield
        except AgentsException as error:
            if (bound := bound_passed(error)) is None:
                raise
            self.passed = bound
            raise CustomStreamError(bound.sentence, allow_retry=True) from error

    def take_tool_calls(self) -> list[dict[str, Any]]:
        """The finished calls, once."""
        calls, self.tool_calls = self.tool_calls, []
        return calls


_current: ContextVar[CurrentRun] = ContextVar("current_run")


def current_run_or_none() -> CurrentRun | None:
    """The run of this task, if it belongs to one."""
    return _current.get(None)


def current_run() -> CurrentRun:
    """The run of this task. Raises LookupError outside of one."""
    return _current.get()


@contextmanager
def carrying_out(current: CurrentRun) -> Iterator[None]:
    """Everything started in the body belongs to this run."""
    token = _current.set(current)
    try:
        yield
    finally:
        _current.reset(token)
