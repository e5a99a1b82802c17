"""What Redis itself was told, in its own order: which attempt wrote which record of which run's log.

The log's records do not carry their attempt, so the order is checked at the only place that knows it.
"""

import re
import socket
import threading
from collections import defaultdict
from contextlib import suppress
from itertools import pairwise

_PART = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_RUN = re.compile(rb"run:\{(run_[^}]+)\}:")


class Monitor:
    """Reads MONITOR in a thread for as long as it lives; a connection that breaks is made anew."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.written: dict[str, list[int]] = defaultdict(list)
        """By run: the attempt of each record written, in Redis's order."""
        self._stopping = False
        self._writer: tuple[str, int] | None = None
        self._socket: socket.socket | None = None
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._listen_for_ever, name="monitor", daemon=True)

    def __enter__(self) -> "Monitor":
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)

    def out_of_order(self, run_id: str) -> list[str]:
        """Where an older attempt wrote after a newer one."""
        attempts = self.written.get(run_id, [])
        return [
            f"{run_id}: a record of attempt {after} follows one of attempt {before}"
            for before, after in pairwise(attempts)
            if after < before
        ]

    def _listen_for_ever(self) -> None:
        while not self._stopping:
            with suppress(OSError), socket.socket(socket.AF_UNIX) as self._socket:
                self._socket.connect(self._path)
                self._socket.sendall(b"MONITOR\r\n")
                with self._socket.makefile("rb") as lines:
                    for line in lines:
                        self._listening.set()
                        self._read(line)
            self._listening.wait(0.05)

    def _read(self, line: bytes) -> None:
        if b'"XADD"' in line and self._writer and b" lua]" in line:
            self.written[self._writer[0]].append(self._writer[1])
        elif b'"EVALSHA"' in line or b'"EVAL"' in line:
            parts = [match[1] for match in _PART.finditer(line[:2000])]
            run = _RUN.search(parts[3]) if len(parts) > 6 and parts[2] == b"3" else None
            attempt = parts[6] if run else b""
            self._writer = (run[1].decode(), int(attempt)) if run and attempt.isdigit() else None
