"""What one run may take, whatever server answers, and the errors that say it took more."""

import sys
from dataclasses import dataclass

from agents import AgentsException, MaxTurnsExceeded, ToolTimeoutError

from shared.bounds import Bound
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one run."""

    max_turns: int = sys.maxsize
    """Model calls of one `Runner` call."""
    max_tool_calls: int = sys.maxsize
    """Tool calls that the run's models may ask for, handoffs among them, over all its attempts."""
    tool_timeout: float | None = None
    """Seconds that a tool may take which has no timeout of its own."""
    max_tool_output: int = sys.maxsize
    """Characters of a tool's output that its model is given."""
    counts_tokens: bool = False
    """Whether its user's tokens of the day are bounded: then each response is counted as it is journaled."""

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        return cls(
            max_turns=settings.max_turns,
            max_tool_calls=settings.max_tool_calls,
            tool_timeout=settings.tool_timeout,
            max_tool_output=settings.max_tool_output,
            counts_tokens=settings.max_tokens_per_day > 0,
        )

    def turns(self, asked_for: int | None) -> int:
        """How many a `Runner` call gets that asks for so many; None is as many as there are."""
        return self.max_turns if asked_for is None else min(asked_for, self.max_turns)


UNBOUNDED = Bounds()
"""Where there is no worker around a run."""


class TooManyToolCalls(AgentsException):
    """The run's models have asked for more tool calls than it may make: none of the last response is made."""


def bound_passed(error: Exception) -> Bound | None:
    """The bound that this error is about, if it is about one."""
    match error:
        case MaxTurnsExceeded():
            return Bound.TURNS
        case TooManyToolCalls():
            return Bound.TOOL_CALLS
        case ToolTimeoutError():
            return Bound.TOOL_TIMEOUT
        case _:
            return None
