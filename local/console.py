"""What the user sees: our own lines and those of the children, each after the name of its speaker."""

import contextlib
import sys
import threading
from typing import IO

_WIDTH = len("worker-10")


class Console:
    """Whole lines only, on stdout, from any thread. Goes on without a reader: children must not stall for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        self._write("local", text.encode())

    def relay(self, name: str, stream: IO[bytes]) -> threading.Thread:
        """Passes lines on until the stream ends; the thread then ends too."""
        thread = threading.Thread(target=self._follow, args=(name, stream), name=f"relay {name}", daemon=True)
        thread.start()
        return thread

    def _follow(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._write(name, line.rstrip(b"\r\n"))

    def _write(self, name: str, line: bytes) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            sys.stdout.buffer.write(f"{name:<{_WIDTH}} | ".encode() + line + b"\n")
            sys.stdout.buffer.flush()
