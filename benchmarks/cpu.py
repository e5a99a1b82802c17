"""How much processor time a group of processes has had, as the kernel's scheduler counts it."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.contenders import Contender


def seconds_of(pid: int) -> float:
    """Processor seconds of a process, all its threads and all its children that live."""
    total = 0.0
    for process in _tree(pid):
        for task in Path(f"/proc/{process}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0]) / 1e9
            except (FileNotFoundError, ProcessLookupError):
                continue
    return total


def memory_of(pid: int) -> int:
    """Bytes that are this process tree's alone (USS)."""
    total = 0
    for process in _tree(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1]) * 1024
    return total


def _tree(pid: int) -> Iterable[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return
    for child in children:
        yield from _tree(int(child))


class Meter:
    """Processor seconds by part of a contender, and of this client, between `start` and `stop`."""

    def __init__(self, contender: Contender) -> None:
        self._pids = contender.pids
        self._begun: dict[str, float] = {}
        self._own, self._wall = 0.0, 0.0

    def start(self) -> "Meter":
        self._begun = {name: seconds_of(pid) for name, pid in self._pids.items()}
        self._own, self._wall = time.process_time(), time.perf_counter()
        return self

    def stop(self) -> "Spent":
        by_part = {name: seconds_of(pid) - self._begun[name] for name, pid in self._pids.items()}
        return Spent(by_part, time.process_time() - self._own, time.perf_counter() - self._wall)


class Spent:
    """What a piece of work has cost."""

    def __init__(self, by_part: dict[str, float], client: float, wall: float) -> None:
        self.by_part, self.client, self.wall = by_part, client, wall

    @property
    def total(self) -> float:
        """Processor seconds of the contender, its Postgres and Redis included."""
        return sum(self.by_part.values())

    @property
    def client_share(self) -> float:
        """How much of a core this client took: past 0.7 it is the client that is measured."""
        return self.client / self.wall


CORES = os.cpu_count() or 1
