"""A child that keeps its own time, and yet ends with its parent."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable

import pytest

from local.process import Child

Runs = Callable[[int], bool]
Eventually = Callable[[Callable[[], object]], None]
Parent = Callable[[str], tuple[subprocess.Popen[str], int]]


SLEEP = ["sleep", "60"]


def test_a_child_stops_when_asked_and_says_by_which_signal() -> None:
    child = Child(SLEEP, output=subprocess.DEVNULL)
    assert child.alive
    child.stop(grace_seconds=10)
    assert child.returncode == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_killed_with_its_group(runs: Runs, eventually: Eventually) -> None:
    stubborn = "trap '' TERM; sleep 60 & echo $!; while :; do wait; done"
    child = Child(["sh", "-c", stubborn], output=subprocess.PIPE)
    grandchild = int(child.output.readline())
    child.stop(grace_seconds=0.05)
    assert child.returncode == -signal.SIGKILL
    child.output.read()  # ends only when the grandchild has closed it as well
    eventually(lambda: not runs(grandchild))


def test_an_interrupt_of_the_terminal_does_not_reach_a_child() -> None:
    child = Child(SLEEP, output=subprocess.DEVNULL)
    assert os.getpgid(child.pid) == child.pid != os.getpgrp()
    child.kill()


@pytest.mark.parametrize("kernel_tells", [True, False], ids=["death signal", "watcher"])
def test_a_killed_parent_leaves_no_child_behind(
    parent: Parent, runs: Runs, eventually: Eventually, kernel_tells: bool
) -> None:
    if kernel_tells and os.uname().sysname != "Linux":
        pytest.skip("only Linux has a death signal")
    killed, child = parent(
        "from local import death, process\n"
        f"death.KERNEL_TELLS = {kernel_tells}\n"
        "child = process.Child(['sleep', '60'], output=-3)\n"
        "print(child.pid)"
    )
    assert runs(child)
    killed.kill()
    eventually(lambda: not runs(child))


def test_the_watcher_ends_with_its_child(parent: Parent, runs: Runs, eventually: Eventually) -> None:
    _, watcher = parent(
        "from local import death, process\n"
        "death.KERNEL_TELLS = False\n"
        "child = process.Child(['sleep', '60'], output=-3)\n"
        "watcher = child._watcher.pid\n"
        "child.stop(grace_seconds=10)\n"
        "assert not child.alive\n"
        "print(watcher)"
    )
    eventually(lambda: not runs(watcher))


def test_a_child_outlives_the_thread_that_started_it() -> None:
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(Child(SLEEP, output=subprocess.DEVNULL)))
    thread.start()
    thread.join()
    with pytest.raises(subprocess.TimeoutExpired):
        children[0]._process.wait(0.1)
    children[0].kill()
