"""The model endpoint in a process of its own, held from another: for tests that outlive or kill processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.model_replies import Scripted, to_json

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Seen:
    """A request as the endpoint saw it, at the moment of asking."""

    body: dict[str, Any]
    headers: dict[str, str]
    tokens: int
    finished: bool
    closed: bool
    closed_at: float | None
    user: str
    step: int


class RemoteEndpoint:
    """The verbs of an Endpoint, over /control; waiting is polling."""

    def __init__(self, base_url: str) -> None:
        self.url = f"{base_url}/v1"
        self._control = httpx.Client(base_url=f"{base_url}/control")

    @property
    def requests(self) -> list[Seen]:
        return [Seen(**seen) for seen in self._control.get("/requests").raise_for_status().json()]

    def replies(self, *scripted: Scripted) -> None:
        self._post("/replies", [to_json(reply) for reply in scripted])

    def answers_to(self, contains: str, *scripted: Scripted) -> None:
        self._post("/answers_to", {"contains": contains, "replies": [to_json(reply) for reply in scripted]})

    def says_otherwise(self, scripted: Scripted) -> None:
        """What is said where nothing else is scripted."""
        self._post("/default", to_json(scripted))

    def release(self, contains: str = "") -> None:
        self._control.post("/release", params={"contains": contains}).raise_for_status()

    def reset(self) -> None:
        self._post("/reset", None)

    def wait(self, state: Callable[[list[Seen]], bool], *, seconds: float = 10) -> list[Seen]:
        """The requests, once `state` holds of them."""
        deadline = time.monotonic() + seconds
        while not state(seen := self.requests):
            assert time.monotonic() < deadline, f"waited {seconds} s in vain; requests: {seen!r}"
            time.sleep(0.02)
        return seen

    def _post(self, path: str, body: object) -> None:
        self._control.post(path, json=body).raise_for_status()


@contextmanager
def spawned_endpoint(port: int) -> Iterator[RemoteEndpoint]:
    """The endpoint as a child process on this port."""
    command = [sys.executable, "-m", "tests.model_endpoint", "--port", str(port)]
    child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        endpoint = RemoteEndpoint(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 20
        while not _answers(endpoint):
            assert child.poll() is None, "the endpoint did not start"
            assert time.monotonic() < deadline, "the endpoint does not answer"
            time.sleep(0.05)
        yield endpoint
    finally:
        child.terminate()
        child.wait()


def _answers(endpoint: RemoteEndpoint) -> bool:
    try:
        return endpoint.requests == []
    except httpx.TransportError:
        return False
