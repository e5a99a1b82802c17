"""How the user ends the system."""

import signal
from types import FrameType


class StopSignals:
    """Ctrl-C, SIGTERM and a closed terminal raise KeyboardInterrupt once; what comes later is only remembered."""

    def __init__(self) -> None:
        self.hurried = False
        """A second Ctrl-C: wait for nothing any more."""
        self._stopping = False

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hear)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup leaves it
            signal.signal(signal.SIGHUP, self._hear)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            raise KeyboardInterrupt
        # A SIGTERM may come twice without being meant twice: make passes on what its whole group was sent.
        if number == signal.SIGINT:
            self.hurried = True
