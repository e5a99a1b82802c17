"""What the tests of real processes watch them with, and the parents they kill."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def eventually(condition: Callable[[], object], *, patience_seconds: float = 30) -> None:
    """Waits until something holds; the patience is for a machine that is busy, and no measure."""
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def runs(pid: int) -> bool:
    """Whether a process lives; a zombie does not."""
    return pid in _table()


def descendants(pid: int) -> set[int]:
    """All processes below this one, at this moment."""
    parents = _table()
    below = {child for child, parent in parents.items() if parent == pid}
    return below.union(*(descendants(child) for child in below))


@contextmanager
def parent(lines: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another Python that runs these lines, which print one pid, and then lives on."""
    code = f"{lines}\nimport time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def _table() -> dict[int, int]:
    """Each living process and its parent."""
    if Path("/proc/self/stat").exists():
        return dict(filter(None, map(_entry, filter(str.isdigit, os.listdir("/proc")))))
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(pid): int(parent) for pid, parent, state in rows if not state.startswith("Z")}


def _entry(pid: str) -> tuple[int, int] | None:
    with suppress(OSError):
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(pid), int(parent)) if state not in "ZX" else None
    return None
