"""Waits until its standard input closes, which is when its parent has ended, then signals another process.

usage: python watcher.py PID SIGNAL
"""

import contextlib
import os
import sys


def main() -> None:
    pid, death_signal = map(int, sys.argv[1:])
    sys.stdin.buffer.read()
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, death_signal)


if __name__ == "__main__":
    main()
