"""Starts what has ended again: at once after a long life, later and later after short ones."""

import time
from collections.abc import Callable
from typing import Protocol

from local.errors import CannotRun
from local.process import how_it_ended

_LONG_LIFE_SECONDS = 10.0
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0


class Keepable(Protocol):
    """A server or a program."""

    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    @property
    def returncode(self) -> int | None: ...
    def start(self) -> None: ...
    def ask_to_stop(self) -> None: ...
    def kill(self) -> None: ...


class Keeper:
    """Keeps one of them running. It takes it to be alive when it is made."""

    def __init__(
        self, kept: Keepable, *, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept = kept
        self._say = say
        self._clock = clock
        self._started = clock()
        self._delay = 0.0
        self._due: float | None = None

    def look(self) -> None:
        """To be called again and again: notices the end, and starts again when it is time."""
        if self._kept.alive:
            return
        if self._due is None:
            self._due = self._plan(how_it_ended(self._kept.returncode))
        if self._clock() >= self._due:
            self._start()

    def _plan(self, end: str) -> float:
        now = self._clock()
        long_life = now - self._started >= _LONG_LIFE_SECONDS
        self._delay = 0.0 if long_life else min(max(2 * self._delay, _FIRST_DELAY_SECONDS), _LONGEST_DELAY_SECONDS)
        when = f"in {self._delay:.0f} s" if self._delay else "now"
        self._say(f"{self._kept.name} {end}; it is started again {when}.")
        return now + self._delay

    def _start(self) -> None:
        self._started, self._due = self._clock(), None
        try:
            self._kept.start()
        except CannotRun as reason:
            self._due = self._plan(f"does not start ({reason})")
