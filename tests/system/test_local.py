"""`python -m local`: the whole system by one command, as a newcomer and an impatient operator have it."""

import os
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from tests.local.processes import eventually, runs
from tests.local.system_process import SystemProcess, running_system
from tests.sse import frames


def start(data_dir: Path) -> AbstractContextManager[SystemProcess]:
    command = [sys.executable, "-m", "local", "--data", str(data_dir)]
    return running_system(command, cwd=data_dir.parent, WORKERS="1")


def visitor(system: SystemProcess, name: str = "ann") -> httpx.Client:
    """Signed in the way the page signs in."""
    client = httpx.Client(base_url=system.url, timeout=30)
    token = client.post("/dev/token", json={"user": name}).json()["token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def say(client: httpx.Client, message: str) -> str:
    """The last comment of the answer's stream, which tells how it ended."""
    with client.stream("POST", "/chatkit", json={"message": message}) as answer:
        assert answer.status_code == 200
        return [frame.comment for frame in frames(answer.iter_lines()) if frame.comment][-1]


@pytest.mark.timeout(300)
def test_what_was_said_outlives_a_kill_of_everything_and_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    with start(tmp_path / "data") as system:
        client = visitor(system)
        assert client.get("/").status_code == 200
        assert say(client, "add buy milk") == "end completed"
        children = system.children()
        system.process.kill()
        eventually(lambda: not any(map(runs, children)))
    with start(tmp_path / "data") as system:
        client = visitor(system)
        (conversation,) = client.get("/api/conversations").json()["data"]
        messages = client.get(f"/api/conversations/{conversation['id']}/messages").json()["data"]
        assert messages[0]["role"] == "user"
        (task,) = client.get("/api/tasks").json()
        assert "milk" in task["title"]
        os.kill(int(system.find(r"owner=[^:\s]*:(\d+):")), signal.SIGKILL)
        system.find("local +| worker-1 was ended by SIGKILL; it is started again")
        assert say(client, "add buy bread") == "end completed"
        children = system.children()
        system.interrupt()
        assert system.wait() == 0
        assert not any(map(runs, children))
        assert "Traceback" not in system.text
