"""What the embedded servers have in common: one data directory, one fixed address, start, stop, kill, restart."""

import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from local.errors import CannotRun
from local.leftover import end_leftover
from local.lock import LockFile
from local.process import Child
from local.sockets import socket_directory

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


class Server(ABC):
    """A database server as a child process. Its address stays the same through any stop, kill and restart.

    `data_dir` is made where it is missing; its log and its lock lie beside it. `durable` says whether what was
    acknowledged should survive a crash of the machine (Postgres) or of the server (Valkey). Everything raises
    CannotRun where the server does not come up.
    """

    name: ClassVar[str]
    pid_file_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self.durable = durable
        self.log_file = self._beside("log")
        self._child: Child | None = None
        self._lock = LockFile(self._beside("lock"), refusal=f"{data_dir} is in use by another process.")

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it; usable in the environment of other processes."""

    @property
    def socket_dir(self) -> Path:
        return socket_directory(self.data_dir)

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} has not been started"
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def returncode(self) -> int | None:
        """How its last life ended; None while it lives."""
        return self._child.returncode if self._child is not None else None

    def start(self) -> None:
        """Returns when the server answers; does nothing where it already does."""
        if self.alive:
            return
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        self._refuse_strangers_data()
        self._prepare()
        end_leftover(self.data_dir / self.pid_file_name, data_dir=self.data_dir, stop_signal=self.stop_signal)
        deadline = time.monotonic() + _START_SECONDS
        with self.log_file.open("wb" if self._child is None else "ab") as log:
            while not self._launch(log.fileno(), deadline):
                time.sleep(0.05)

    def ask_to_stop(self) -> None:
        """Tells it to stop and returns at once; `stop` then waits."""
        if self._child is not None:
            self._child.ask_to_stop()

    def stop(self) -> None:
        """A clean shutdown; the data stays."""
        if self._child is not None:
            self._child.stop(grace_seconds=_STOP_SECONDS)
        self._lock.release()

    def kill(self) -> None:
        """SIGKILL, as a crash would be; the data stays as it lies."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self) -> None:
        """Makes the data directory ready for the server."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _passes(self, _reason: str) -> bool:
        """Whether what stopped it from starting goes away by itself."""
        return False

    def _launch(self, log: int, deadline: float) -> bool:
        begin = os.fstat(log).st_size
        self._child = Child(self._command(), output=log, stop_signal=self.stop_signal)
        while self._child.alive:
            if self._answers():
                return True
            if time.monotonic() > deadline:
                self.kill()
                raise CannotRun(f"{self.name} did not answer within {_START_SECONDS:.0f} s; see {self.log_file}.")
            time.sleep(0.005)
        reason = self._last_words(begin)
        if self._passes(reason) and time.monotonic() < deadline:
            return False
        raise CannotRun(f"{self.name} could not start on {self.data_dir}: {reason}")

    def _last_words(self, begin: int) -> str:
        with self.log_file.open("rb") as log:
            log.seek(begin)
            lines = log.read().decode(errors="replace").strip().splitlines()
        grave = [line for line in lines if "FATAL" in line or "PANIC" in line]
        return (grave or lines or ["it ended without a word"])[-1]

    def _refuse_strangers_data(self) -> None:
        if self.data_dir.exists() and self.data_dir.stat().st_uid != os.getuid():
            raise CannotRun(f"{self.data_dir} belongs to another user: remove it, or run as that user.")

    def _beside(self, suffix: str) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.{suffix}")
