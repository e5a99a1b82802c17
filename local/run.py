"""One life of the whole system, from the lock on its data to the exit code."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from local.console import Console
from local.errors import CannotRun
from local.lock import LockFile
from local.plan import Plan
from local.settings import LocalSettings, read_settings
from local.signals import StopSignals
from local.system import System

_KILLED_AT_ONCE = 130


def run(plan: Callable[[LocalSettings], Plan], *, data_dir: Path) -> int:
    """The exit code: 0 after a clean stop, 1 where the system cannot run, 130 after a second Ctrl-C."""
    signals, console = StopSignals(), Console()
    try:
        signals.listen()
        _live(plan, data_dir.absolute(), signals, console)
    except KeyboardInterrupt:
        console.say("Stopped.")
        return _KILLED_AT_ONCE if signals.hurried else 0
    except CannotRun as reason:
        print(reason, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'The machine'}: {error.strerror or error}.", file=sys.stderr)
    return 1


def _live(plan: Callable[[LocalSettings], Plan], data_dir: Path, signals: StopSignals, console: Console) -> NoReturn:
    begin = time.monotonic()
    settings = read_settings()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = LockFile(data_dir / "lock", refusal=f"The system in {data_dir} is already running: stop it first.")
    lock.acquire()
    system = System(plan(settings), settings, data_dir=data_dir, console=console)
    try:
        system.start()
        console.say(f"Ready after {time.monotonic() - begin:.1f} s: open {system.url}  (Ctrl-C stops everything)")
        if settings.is_open_to_all:
            console.say("Whoever can reach this machine can sign in under any name; DEV_TOKEN=0 ends that.")
        system.keep()
    except KeyboardInterrupt:
        console.say("Stopping ...")
        raise
    finally:
        system.stop(hurried=lambda: signals.hurried)
        lock.release()
