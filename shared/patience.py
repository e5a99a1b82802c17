"""How long one may have to wait, for a model's next word or for a reader: one timer for a whole answer.

A time-out for each wait costs more than what is waited for.
"""

import asyncio
from types import TracebackType
from typing import Self


class Patience:
    """Entered for each wait; raises TimeoutError in one that has lasted `seconds`. `close` it at the end.

    What happens between two waits is not counted.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._loop = seconds, asyncio.get_running_loop()
        self._waiting: asyncio.Task[object] | None = None
        self._since = self._loop.time()
        self._cancelling = 0
        self._expired = False
        self._timer = self._loop.call_later(seconds, self._look)

    def __enter__(self) -> Self:
        self._waiting, self._since = asyncio.current_task(), self._loop.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._waiting = self._waiting, None
        if self._expired and kind is asyncio.CancelledError:
            assert task is not None
            # As asyncio.timeout does: somebody else's cancellation at the same moment stays one.
            if task.uncancel() <= self._cancelling:
                raise TimeoutError from error

    def close(self) -> None:
        """Wait for nothing more."""
        self._timer.cancel()

    def _look(self) -> None:
        left = self._seconds
        if self._waiting is not None:
            left += self._since - self._loop.time()
        if left > 0 or self._waiting is None:
            self._timer = self._loop.call_later(left, self._look)
            return
        self._expired, self._cancelling = True, self._waiting.cancelling()
        self._waiting.cancel()
