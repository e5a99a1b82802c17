"""How many streams of one user an API process keeps open.

Counted in the process and not in Redis: what is protected is a process's memory and sockets, a count of one's own
cannot outlive what it counts, and taking a place costs no round trip.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import TooMany

RETRY_AFTER_SECONDS = 5


class OpenStreams:
    """The streams that are open now, by user."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._open: Counter[str] = Counter()

    @contextmanager
    def seat(self, user_id: str) -> Iterator["Seat"]:
        """A place that may be taken, and is free again when this ends."""
        seat = Seat(self, user_id)
        try:
            yield seat
        finally:
            seat.leave()

    def enter(self, user_id: str) -> None:
        """Count one more. Raises TooMany."""
        if self._open[user_id] >= self._most:
            raise TooMany("Too many of your answers are open at once.", retry_after=RETRY_AFTER_SECONDS)
        self._open[user_id] += 1

    def leave(self, user_id: str) -> None:
        """Count one less."""
        self._open[user_id] -= 1
        if not self._open[user_id]:
            del self._open[user_id]


class Seat:
    """One request's place among its user's open streams."""

    def __init__(self, streams: OpenStreams, user_id: str) -> None:
        self._streams, self._user_id, self._taken = streams, user_id, False

    def take(self) -> None:
        """The request will be answered with a stream. Raises TooMany."""
        self._streams.enter(self._user_id)
        self._taken = True

    def leave(self) -> None:
        """The stream has ended, if there was one."""
        if self._taken:
            self._streams.leave(self._user_id)
        self._taken = False
