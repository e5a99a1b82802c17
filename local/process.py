"""A child process in a group of its own, which is stopped when this process dies, even by SIGKILL."""

import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from local import death


class Child:
    """A started process. Terminal signals such as Ctrl-C do not reach it: it ends when its owner says so.

    `output` takes its stdout and stderr: a file, a file descriptor, or `subprocess.PIPE` (then read `.output`).
    `stdin` is empty unless a file is given. `death_signal` is what it is sent when this process dies: the stop
    signal, unless told otherwise.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        output: int | IO[bytes],
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals | None = None,
    ) -> None:
        self._stop_signal = stop_signal
        death_signal = death_signal or stop_signal
        self._asked = False
        start = functools.partial(_start, command, stdin=stdin, output=output, env=env, death_signal=death_signal)
        self._process = _forker().submit(start).result()
        self._watcher = None if death.KERNEL_TELLS else death.start_watcher(self.pid, death_signal)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> IO[bytes]:
        """What the process prints, where `subprocess.PIPE` was asked for."""
        assert self._process.stdout is not None, "output was given elsewhere"
        return self._process.stdout

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative is the signal that ended it."""
        returncode = self._process.poll()
        if returncode is not None:
            self._end_watch()
        return returncode

    @property
    def alive(self) -> bool:
        return self.returncode is None

    def ask_to_stop(self) -> None:
        """Sends the stop signal, once, and returns at once."""
        if self.alive and not self._asked:
            self._asked = True
            self._process.send_signal(self._stop_signal)

    def wait(self) -> int:
        """Waits for its end, however long it takes, and says how it ended."""
        returncode = self._process.wait()
        self._end_watch()
        return returncode

    def stop(self, *, grace_seconds: float) -> None:
        """Asks it to stop, waits, and kills it when the grace is over."""
        self.ask_to_stop()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._end_watch()

    def kill(self) -> None:
        """SIGKILL to it and all of its group, and waits for its end."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def _end_watch(self) -> None:
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None


def how_it_ended(returncode: int | None) -> str:
    """The return code in words, as the end of a sentence."""
    if returncode is not None and returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


def _start(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes],
    output: int | IO[bytes],
    env: Mapping[str, str] | None,
    death_signal: signal.Signals,
) -> subprocess.Popen[bytes]:
    before_exec = death.dies_with_parent(death_signal, parent=os.getpid()) if death.KERNEL_TELLS else None
    return subprocess.Popen(
        command,
        env=env,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=before_exec,  # noqa: PLW1509  one system call: it takes no lock another thread may hold
    )


@functools.cache
def _forker() -> ThreadPoolExecutor:
    # The death signal comes when the forking thread ends, so one that ends with the process forks for all.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")
