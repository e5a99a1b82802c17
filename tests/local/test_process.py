"""A child that keeps its own time, and yet ends with its parent."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from local.process import Child, how_it_ended
from tests.local.processes import eventually, parent, runs

SLEEP = ["sleep", "60"]


def test_a_child_stops_when_asked_and_says_by_which_signal() -> None:
    child = Child(SLEEP, output=subprocess.DEVNULL)
    assert child.alive
    child.stop(grace_seconds=10)
    assert how_it_ended(child.returncode) == "was ended by SIGTERM"


def test_an_exit_code_is_said_as_it_is() -> None:
    child = Child(["sh", "-c", "exit 3"], output=subprocess.DEVNULL)
    assert how_it_ended(child.wait()) == "ended with exit code 3"


def test_a_child_that_does_not_listen_is_killed_with_its_group() -> None:
    stubborn = "trap '' TERM; sleep 60 & echo $!; while :; do wait; done"
    child = Child(["sh", "-c", stubborn], output=subprocess.PIPE)
    grandchild = int(child.output.readline())
    child.stop(grace_seconds=0.05)
    assert child.returncode == -signal.SIGKILL
    eventually(lambda: not runs(grandchild))


def test_a_child_that_is_asked_twice_hears_it_once() -> None:
    counting = "trap 'echo asked' TERM; echo up; read -r line"
    read, write = os.pipe()
    child = Child(["sh", "-c", f"{counting}; {counting}"], stdin=read, output=subprocess.PIPE)
    assert child.output.readline() == b"up\n"
    child.ask_to_stop()
    assert child.output.readline() == b"asked\n"
    child.ask_to_stop()
    os.close(write)
    os.close(read)
    child.wait()
    assert b"asked" not in child.output.read()


def test_an_interrupt_of_the_terminal_does_not_reach_a_child() -> None:
    child = Child(SLEEP, output=subprocess.DEVNULL)
    assert os.getpgid(child.pid) == child.pid != os.getpgrp()
    child.kill()


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")


@pytest.mark.parametrize(
    "kernel_tells", [pytest.param(True, marks=LINUX, id="death signal"), pytest.param(False, id="watcher")]
)
def test_a_killed_parent_leaves_no_child_behind(kernel_tells: bool) -> None:
    lines = (
        "from local import death, process\n"
        f"death.KERNEL_TELLS = {kernel_tells}\n"
        "child = process.Child(['sleep', '60'], output=-3)\n"
        "print(child.pid)"
    )
    with parent(lines) as (killed, child):
        assert runs(child)
        killed.kill()
        eventually(lambda: not runs(child))


def test_the_watcher_ends_with_its_child() -> None:
    lines = (
        "from local import death, process\n"
        "death.KERNEL_TELLS = False\n"
        "child = process.Child(['sleep', '60'], output=-3)\n"
        "watcher = child._watcher.pid\n"
        "child.stop(grace_seconds=10)\n"
        "print(watcher)"
    )
    with parent(lines) as (_, watcher):
        eventually(lambda: not runs(watcher))


def test_a_child_outlives_the_thread_that_started_it() -> None:
    children: list[Child] = []
    thread = threading.Thread(target=lambda: children.append(Child(["cat"], stdin=read, output=subprocess.PIPE)))
    read, write = os.pipe()
    thread.start()
    thread.join()
    os.write(write, b"still here\n")
    assert children[0].output.readline() == b"still here\n"
    os.close(write)
    os.close(read)
    children[0].kill()
