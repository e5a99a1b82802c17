"""Starts our programs in real processes of their own, without paying for their imports each time.

`python -m tests.faults.zygote module …` imports the modules, then forks for each line on its standard input:
`{"run": module, "arguments": [...], "env": {...}, "log": path}`. It answers `{"pid": …}`, and later
`{"ended": pid, "code": …}`, negative for a signal. Nothing is built before the fork: a child is as fresh as
`python -m module`.
"""

import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from typing import Any

from local.death import end_with_parent


def main() -> None:
    """Serve until the input ends; in a child, run the program to its end."""
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    say({"ready": True})
    while True:
        if select.select([0], [], [], 0.02)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                run(order)
                return
            say({"pid": pid})
        reap()


def run(order: dict[str, Any]) -> None:
    """Become the program."""
    os.setpgid(0, 0)
    end_with_parent(signal.SIGKILL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = [order["run"], *order["arguments"]]
    runpy.run_module(order["run"], run_name="__main__")


def reap() -> None:
    """Tell of those that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
