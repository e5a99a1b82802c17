"""The whole system as its user has it: a process whose lines are read and that is sent signals."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from local.settings import ROOT, LocalSettings
from tests.local.processes import descendants, eventually

_ITS_OWN = {name.upper() for name in LocalSettings.model_fields}


class SystemProcess:
    """Everything it prints is in `text`, whole lines as they come. It runs in `cwd`, where no .env interferes."""

    def __init__(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in _ITS_OWN}
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**inherited, "PYTHONPATH": str(ROOT), "PORT": "0", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        return self.find(r"open (http\S+)")

    def find(self, pattern: str) -> str:
        """Waits until the pattern has been printed, and returns the last such place: its group, or all of it."""
        eventually(lambda: re.search(pattern, self.text) or not self._reader.is_alive(), patience_seconds=120)
        found = re.findall(pattern, self.text)
        assert found, f"ended without {pattern!r}:\n{self.text}"
        return str(found[-1])

    def interrupt(self) -> None:
        """Ctrl-C: to the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Its exit code, once all it said has been read."""
        self.process.wait(60)
        self._reader.join(10)
        return self.process.returncode

    def children(self) -> set[int]:
        return descendants(self.process.pid)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.text += line


@contextmanager
def running_system(command: Sequence[str], *, cwd: Path, **env: str) -> Iterator[SystemProcess]:
    """On any free port unless told otherwise; whatever is left of it at the end is killed."""
    system = SystemProcess(command, cwd, env)
    try:
        yield system
    finally:
        system.process.kill()
        system.wait()
