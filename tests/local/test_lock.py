"""A lock file keeps a second one away, for as long as its holder lives."""

from pathlib import Path

import pytest

from local.errors import CannotRun
from local.lock import LockFile
from tests.local.processes import parent


def test_the_second_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first, second = (LockFile(tmp_path / "lock", refusal="Someone is here.") for _ in range(2))
    first.acquire()
    first.acquire()
    with pytest.raises(CannotRun, match="Someone is here"):
        second.acquire()
    first.release()
    second.acquire()


def test_a_killed_holder_holds_nothing_though_its_children_live_on(tmp_path: Path) -> None:
    lock = LockFile(tmp_path / "lock", refusal="Someone is here.")
    lines = (
        "import pathlib, subprocess\n"
        "from local.lock import LockFile\n"
        f"lock = LockFile(pathlib.Path({str(tmp_path / 'lock')!r}), refusal='')\n"
        "lock.acquire()\n"
        "print(subprocess.Popen(['sleep', '5']).pid)"
    )
    with parent(lines) as (holder, _):
        with pytest.raises(CannotRun):
            lock.acquire()
        holder.kill()
        holder.wait()
        lock.acquire()
