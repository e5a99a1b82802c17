"""What makes children end with this process, however it ends."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

KERNEL_TELLS = sys.platform == "linux"
"""Linux sends a child a signal of its choice when its parent dies; elsewhere a watcher process does."""

_PR_SET_PDEATHSIG = 1


def dies_with_parent(death_signal: signal.Signals, *, parent: int) -> Callable[[], None]:
    """What a forked child calls before its exec, to be sent `death_signal` when the parent is gone.

    The kernel means the parent's *thread*: whoever forks must do it from one that lives as long as the process.
    """
    # Loaded here: a child that was forked beside other threads should load nothing.
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # the parent died before the kernel had been asked
            os._exit(1)

    return ask_kernel


def end_with_parent(death_signal: signal.Signals) -> None:
    """Asks the kernel to send this process `death_signal` when its own parent dies; only Linux can."""
    if KERNEL_TELLS:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death_signal))


def start_watcher(pid: int, death_signal: signal.Signals) -> subprocess.Popen[bytes]:
    """A process that sends `death_signal` to `pid` when this process ends; kill it once `pid` has ended."""
    script = Path(__file__).with_name("watcher.py")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(script), str(pid), str(int(death_signal))],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
