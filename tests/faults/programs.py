"""Our programs as a test holds them: started from a warm zygote, killed, frozen, thawed, asked to stop."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local.process import Child
from tests.faults.proxy import Proxy
from tests.faults.waiting import until
from tests.house import ROOT


class Zygote:
    """A process that has imported `modules` and forks a program when told to."""

    def __init__(self, *modules: str) -> None:
        command = [sys.executable, "-u", "-m", "tests.faults.zygote", *modules]
        self._orders, self._far_orders = os.pipe(), None
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._stdin = os.fdopen(self._orders[1], "w")
        self._child = Child(command, output=subprocess.PIPE, stdin=self._orders[0], env=env)
        os.close(self._orders[0])
        self._codes: dict[int, int] = {}
        self._pids: list[int] = []
        self._changed = threading.Condition()
        self._ready = False
        self._other: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def spawn(self, module: str, arguments: list[str], env: dict[str, str], log: Path) -> int:
        """A new process; its pid."""
        order = {"run": module, "arguments": arguments, "env": env, "log": str(log)}
        with self._changed:
            assert self._changed.wait_for(lambda: self._ready, 60), self._other
            asked = len(self._pids)
            self._stdin.write(json.dumps(order) + "\n")
            self._stdin.flush()
            assert self._changed.wait_for(lambda: len(self._pids) > asked, 30), self._other
            return self._pids[-1]

    def code(self, pid: int) -> int | None:
        """How it ended; None while it lives."""
        with self._changed:
            return self._codes.get(pid)

    def stop(self) -> None:
        self._stdin.close()
        self._child.stop(grace_seconds=5)

    def _listen(self) -> None:
        for line in self._child.output:
            try:
                answer = json.loads(line)
            except ValueError:
                self._other.append(line.decode(errors="replace"))
                continue
            with self._changed:
                self._ready = True
                if "pid" in answer:
                    self._pids.append(answer["pid"])
                if "ended" in answer:
                    self._codes[answer["ended"]] = answer["code"]
                self._changed.notify_all()


@dataclass
class Program:
    """One of our processes."""

    name: str
    pid: int
    log: Path
    zygote: Zygote
    url: str = ""
    links: dict[str, Proxy] = field(default_factory=dict)
    """Its proxies, `postgres` and `redis`, where it was started with them."""

    @property
    def alive(self) -> bool:
        return self.code is None

    @property
    def code(self) -> int | None:
        return self.zygote.code(self.pid)

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def stop(self, *, seconds: float = 30.0) -> int:
        """SIGTERM, and its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(seconds=seconds)

    def wait(self, *, seconds: float = 30.0) -> int:
        until(lambda: not self.alive, lambda: f"the end of {self.name}: {self.text[-2000:]}", seconds=seconds)
        code = self.code
        assert code is not None
        return code


def ready(worker: Program) -> Program:
    """The worker, once it is ready."""
    until(lambda: "worker ready" in worker.text or not worker.alive, lambda: worker.text)
    assert worker.alive, worker.text
    return worker


def answers(url: str) -> bool:
    """Whether an API is there."""
    try:
        return httpx.get(f"{url}/livez").status_code == 200
    except httpx.TransportError:
        return False
