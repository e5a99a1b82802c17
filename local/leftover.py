"""A server of an earlier life: still running, or remembered only by its pid file."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

_GRACE_SECONDS = 10.0


def end_leftover(pid_file: Path, *, data_dir: Path, stop_signal: signal.Signals) -> None:
    """Ends the server that `pid_file` names, if it still runs on `data_dir`, and removes the file.

    The caller holds the lock of `data_dir`. A pid that by now belongs to another program is left alone: the
    server itself would take it for a living predecessor and refuse to start.
    """
    pid = _read_pid(pid_file)
    if pid is not None and _runs_on(data_dir, pid):
        _end(pid, data_dir, stop_signal)
    pid_file.unlink(missing_ok=True)


def _read_pid(pid_file: Path) -> int | None:
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid > 0 else None


def _end(pid: int, data_dir: Path, stop_signal: signal.Signals) -> None:
    for next_signal in (stop_signal, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, next_signal)
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            if not _runs_on(data_dir, pid):
                return
            time.sleep(0.01)


def _runs_on(data_dir: Path, pid: int) -> bool:
    return str(data_dir) in _command_line(pid)


def _command_line(pid: int) -> str:
    """Empty where there is no such process."""
    if Path("/proc/self/cmdline").exists():
        with contextlib.suppress(OSError):
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).replace("\0", " ")
        return ""
    listed = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return os.fsdecode(listed.stdout)
