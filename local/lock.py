"""A lock file that its process holds until it ends, however it ends."""

import fcntl
import os
from pathlib import Path

from local.errors import CannotRun


class LockFile:
    """Keeps a second process away. The file stays behind; only the hold on it counts."""

    def __init__(self, path: Path, *, refusal: str) -> None:
        """`refusal` is the sentence for whoever comes second."""
        self._path = path
        self._refusal = refusal
        self._fd: int | None = None

    def acquire(self) -> None:
        """Takes the lock, or keeps it; raises CannotRun where another process has it."""
        if self._fd is not None:
            return
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise CannotRun(self._refusal) from None
        self._fd = fd

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
