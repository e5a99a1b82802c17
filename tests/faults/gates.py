"""Places inside a tool where a test can hold it: files, so that no partition and no kill gets in between."""

import asyncio
import os
import time
from pathlib import Path

from tests.faults.waiting import until

DIRECTORY = "TEST_GATES"
"""The environment variable that tells the worker where the gates are."""


class Gates:
    """The test's side: `arm` a gate, wait until somebody has `reached` it, `open` it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def arm(self, name: str) -> None:
        (self.directory / f"{name}.armed").touch()

    def open(self, name: str) -> None:
        (self.directory / f"{name}.armed").unlink()

    def reached(self, name: str, *, times: int = 1) -> None:
        """Wait until so many have come to the gate, those that have passed it included."""
        until(lambda: self.count(name) >= times, f"somebody at the gate {name}")

    def count(self, name: str) -> int:
        """How many have come to the gate so far."""
        return len(list(self.directory.glob(f"{name}.reached.*")))


async def gate(name: str) -> None:
    """The tool's side: say that one is here, and go on at once unless the gate is armed."""
    directory = Path(os.environ[DIRECTORY])
    (directory / f"{name}.reached.{os.getpid()}.{os.urandom(4).hex()}").touch()
    while (directory / f"{name}.armed").exists():  # noqa: ASYNC110  (a file has no event)
        await asyncio.sleep(0.01)


def blocking_gate(name: str) -> None:
    """The same for a tool that blocks whatever runs it."""
    directory = Path(os.environ[DIRECTORY])
    (directory / f"{name}.reached.{os.getpid()}.{os.urandom(4).hex()}").touch()
    while (directory / f"{name}.armed").exists():
        time.sleep(0.01)
