"""Waiting for states: the patience is an end, never a measure."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 40.0


def until(state: Callable[[], T], what: str | Callable[[], str] = "", *, seconds: float = PATIENCE) -> T:
    """What `state` gives, once it is true. Raises AssertionError when the patience ends."""
    deadline = time.monotonic() + seconds
    while not (found := state()):
        assert time.monotonic() < deadline, f"it never came: {what() if callable(what) else what}"
        time.sleep(0.01)
    return found
