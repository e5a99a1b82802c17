"""One of our own programs, run as a child that can be started again, its output shown on the console."""

import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from local.console import Console
from local.process import Child

_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True)
class Program:
    """What to run: Python with these arguments."""

    name: str
    arguments: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """What it is told and the others are not."""


class RunningProgram:
    """A program and its present child."""

    def __init__(self, program: Program, *, env: Mapping[str, str], console: Console) -> None:
        self.name = program.name
        self._command = [sys.executable, *program.arguments]
        self._env = {**env, **program.env}
        self._console = console
        self._child: Child | None = None
        self._relay: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def returncode(self) -> int | None:
        """How its last life ended; None while it lives."""
        return self._child.returncode if self._child is not None else None

    def start(self) -> None:
        # Our death takes the servers along: a program that wanted to end its answers first would wait in vain.
        self._child = Child(self._command, output=subprocess.PIPE, env=self._env, death_signal=signal.SIGKILL)
        self._relay = self._console.relay(self.name, self._child.output)

    def wait(self) -> int:
        """Waits for its end and says how it ended, its last words on the console."""
        assert self._child is not None, f"{self.name} has not been started"
        returncode = self._child.wait()
        self._hear_out()
        return returncode

    def ask_to_stop(self) -> None:
        if self._child is not None:
            self._child.ask_to_stop()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._hear_out()

    def _hear_out(self) -> None:
        if self._relay is not None:
            self._relay.join(_LAST_WORDS_SECONDS)
