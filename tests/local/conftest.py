"""What the tests of the local system wait with, and the parents they kill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

Eventually = Callable[[Callable[[], object]], None]
Parent = Callable[[str], tuple[subprocess.Popen[str], int]]


@pytest.fixture
def eventually() -> Eventually:
    """Waits until something holds; 20 seconds are the end of patience, not a measure."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, "it never came"
            time.sleep(0.005)

    return wait


@pytest.fixture
def runs() -> Callable[[int], bool]:
    """Whether a process lives; a zombie does not."""

    def check(pid: int) -> bool:
        with suppress(OSError):
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        if Path("/proc/self").exists():
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False

    return check


@pytest.fixture
def parent() -> Iterator[Parent]:
    """Runs a few lines in another Python, which print a pid, and then lets that Python live on."""
    started: list[subprocess.Popen[str]] = []

    def start(lines: str) -> tuple[subprocess.Popen[str], int]:
        code = f"{lines}\nimport time; time.sleep(60)"
        process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()
