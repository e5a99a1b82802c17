"""What a tool may say of itself, and the key it may hand on: how a team makes its tools safe under a crash.

    @function_tool
    @idempotent                       # running it twice does no harm: a lookup, a SET, an upsert
    async def weather(city: str) -> str: ...

    @function_tool
    @keyed                            # the other side recognises a repetition by idempotency_key()
    async def charge(amount: int) -> str:
        return await payments.charge(amount, key=idempotency_key())

A tool that says nothing is taken for not repeatable: if its worker dies while it runs, it is not run again,
and the model is told that its outcome is unknown.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from agents import FunctionTool

from shared.database import Connection
from worker.bounds import UNBOUNDED, Bounds
from worker.journal import Journal, Place
from worker.tool_output import cut_text

T = TypeVar("T")

_MARK = "__chatkit_runs_effect__"


class Effect(StrEnum):
    """Whether a tool that was begun and not finished may be run again."""

    IDEMPOTENT = "idempotent"
    KEYED = "keyed"
    NOT_REPEATABLE = "not repeatable"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The tool call that the current task is carrying out."""

    journal: Journal
    place: Place
    bounds: Bounds = UNBOUNDED


_invocation: ContextVar[Invocation | None] = ContextVar("tool_invocation", default=None)


def idempotent(tool: T) -> T:
    """Declare a tool, or the function it is made of, safe to run twice."""
    setattr(tool, _MARK, Effect.IDEMPOTENT)
    return tool


def keyed(tool: T) -> T:
    """Declare a tool, or the function it is made of, safe to run twice under one `idempotency_key()`."""
    setattr(tool, _MARK, Effect.KEYED)
    return tool


def effect_of(tool: FunctionTool) -> Effect:
    """What the tool, or the function it was made of, has declared.

    An agent as a tool does nothing itself: what it asks and calls is journaled below it, so it goes on from there.
    """
    if tool._is_agent_tool:
        return Effect.IDEMPOTENT
    wrapped: Callable[..., Any] | None = getattr(tool, "__wrapped__", None)
    declared = getattr(tool, _MARK, None) or getattr(wrapped, _MARK, None)
    return Effect(declared) if declared else Effect.NOT_REPEATABLE


def idempotency_key() -> str:
    """The same for every try of the current tool call, and different for any other. Raises LookupError outside one."""
    return current_invocation().place.key


async def finish_in(connection: Connection, result: str) -> None:
    """Journal the current call's result in the caller's transaction: its effect and its record are one.

    Outside a journaled call this does nothing, so that a tool works anywhere.
    """
    invocation = _invocation.get()
    if invocation is not None:
        outcome = {"result": cut_text(result, invocation.bounds.max_tool_output)}
        await invocation.journal.finish_in(connection, invocation.place, outcome)


def current_invocation() -> Invocation:
    """The call of the current task. Raises LookupError outside one."""
    invocation = _invocation.get()
    if invocation is None:
        raise LookupError("there is no tool call here")
    return invocation


def entering(invocation: Invocation) -> Any:
    """Make it the current one; the token ends it by `leaving`."""
    return _invocation.set(invocation)


def leaving(token: Any) -> None:
    """Undo `entering`."""
    _invocation.reset(token)
