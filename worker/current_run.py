"""The run that the current task is carrying out: found by the store and the runner without being passed along.

A team's server may build any request context of its own, so nothing of ours can travel in it; a context
variable follows the task into everything the server starts, threads included.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from chatkit.types import ThreadMetadata

from shared.errors import RunError
from shared.messages import Writer
from shared.records import Record
from shared.tables import Run


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
    open: bool = True
    """False once the attempt's store is closed."""
    failure: Exception | None = None
    """An infrastructure failure, kept because the SDK's loop turns every exception into an error event."""
    results: list[Cancellable] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    """Finished tool calls (name, args, result) that no stored assistant message carries yet."""
    threads: dict[str, ThreadMetadata] = field(default_factory=dict)
    """Threads as they were last loaded or saved: what differs is what a save writes."""
    turn_starts_at: int = 0
    """How many of the agent's input items are history."""

    @property
    def writer(self) -> Writer:
        return Writer(self.run.id, self.run.attempt, self.run.user_id)

    def take_tool_calls(self) -> list[dict[str, Any]]:
        """The finished calls, once."""
        calls, self.tool_calls = self.tool_calls, []
        return calls


_current: ContextVar[CurrentRun] = ContextVar("current_run")


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
