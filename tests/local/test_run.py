"""The whole system's life, with stand-ins for our programs: how it starts, what it survives, how it ends."""

import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.local.processes import eventually, runs
from tests.local.system_process import SystemProcess, running_system


def start(data_dir: Path, **env: str) -> AbstractContextManager[SystemProcess]:
    return running_system([sys.executable, "-m", "tests.local.stand_in_system", str(data_dir)], **env)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system") / "data"


@pytest.fixture
def system(data: Path) -> Iterator[SystemProcess]:
    with start(data) as system:
        assert system.url
        yield system


def test_everything_starts_in_order_and_speaks_under_its_name(system: SystemProcess) -> None:
    order = ["Postgres is ready", "Valkey is ready", "migrate   | here is", "api       | here is", "Ready after"]
    assert sorted(order, key=system.text.index) == order
    for worker in ("worker-1", "worker-2"):
        system.find(rf"{worker}  \| here is worker")


@pytest.mark.parametrize("end", ["ctrl-c", "sigterm", "sigterm to the group"])
def test_a_stop_ends_programs_then_servers_and_leaves_nothing(system: SystemProcess, data: Path, end: str) -> None:
    children = system.children()
    match end:
        case "ctrl-c":
            system.interrupt()
        case "sigterm":
            system.process.terminate()
        case _:
            os.killpg(system.process.pid, signal.SIGTERM)
            system.process.terminate()
    assert system.wait() == 0
    assert not any(map(runs, children))
    assert system.text.count("bye") == 3
    assert system.text.rstrip().endswith("Stopped.")
    assert "Traceback" not in system.text
    assert "database system is shut down" in (data / "postgres.log").read_text()


def test_a_kill_leaves_nothing_and_the_next_start_is_as_ever(data: Path) -> None:
    with start(data) as killed:
        assert killed.url
        children = killed.children()
        assert len(children) > 5
        killed.process.kill()
        eventually(lambda: not any(map(runs, children)))
    with start(data) as next_one:
        assert next_one.url


@pytest.mark.parametrize("name", ["worker-1", "api", "Valkey", "Postgres"])
def test_what_is_killed_is_started_again_and_said_so(system: SystemProcess, data: Path, name: str) -> None:
    pid_files = {"Valkey": "redis/valkey.pid", "Postgres": "postgres/postmaster.pid"}

    def pid() -> int:
        if name in pid_files:
            file = data / pid_files[name]
            return int(file.read_text().split()[0]) if file.exists() and file.read_text() else 0
        return int(re.findall(rf"{name} +\| here is \w+, process (\d+)", system.text)[-1])

    killed = pid()
    os.kill(killed, signal.SIGKILL)
    system.find(rf"local +\| {name} was ended by SIGKILL; it is started again")
    eventually(lambda: pid() not in (killed, 0) and runs(pid()))
    system.interrupt()
    assert system.wait() == 0


def test_a_second_interrupt_kills_what_does_not_stop(data: Path) -> None:
    with start(data, STAND_IN="stubborn") as system:
        assert system.url
        children = system.children()
        system.interrupt()
        system.find("Stopping")
        assert system.process.poll() is None
        system.interrupt()
        assert system.wait() == 130
        assert not any(map(runs, children))


def test_a_second_system_on_the_same_data_is_refused(system: SystemProcess, data: Path) -> None:
    with start(data) as second:
        assert second.wait() == 1
        assert second.text == f"The system in {data} is already running: stop it first.\n"
    assert system.process.poll() is None


def test_the_secret_is_made_once_and_for_its_owner_only(system: SystemProcess, data: Path) -> None:
    made = (data / "secret").read_text()
    assert len(made) >= 32
    assert (data / "secret").stat().st_mode & 0o077 == 0
    system.interrupt()
    system.wait()
    with start(data) as again:
        assert again.url
    assert (data / "secret").read_text() == made


def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(tmp_path, PORT=str(port)) as system:
            assert system.wait() == 1
            assert system.text == f"Port {port} is in use: choose another one, as in `make run PORT={port + 1}`.\n"


@pytest.mark.parametrize(
    ("name", "url", "said"),
    [
        ("DATABASE_URL", "postgresql://me:hush@127.0.0.1:9/x", "Postgres does not answer at DATABASE_URL"),
        ("REDIS_URL", "redis://:hush@127.0.0.1:9/0", "Redis does not answer at REDIS_URL"),
        ("REDIS_URL", "nonsense", "Redis does not answer at REDIS_URL"),
        ("PORT", "x", "PORT=x makes no sense"),
        ("WORKERS", "0", "WORKERS=0 makes no sense"),
        ("HOST", "192.0.2.1", "Nothing can listen on 192.0.2.1"),
    ],
)
def test_an_environment_that_cannot_work_is_said_in_one_sentence(
    tmp_path: Path, name: str, url: str, said: str
) -> None:
    with start(tmp_path, **{name: url}) as system:
        assert system.wait() == 1
        assert said in system.text
        assert "Traceback" not in system.text
        assert "hush" not in system.text


@pytest.mark.parametrize(
    ("role", "said"),
    [("migrations", "could not be brought up to date"), ("worker", "worker-1 ended with exit code 1 before")],
)
def test_a_program_that_ends_too_early_stops_the_start_with_its_last_words(data: Path, role: str, said: str) -> None:
    with start(data, STAND_IN=f"{role}-ends-early", WORKERS="1") as system:
        assert system.wait() == 1
        assert "| I cannot" in system.text
        assert said in system.text
        assert "Traceback" not in system.text


def test_broken_data_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with start(tmp_path / "data") as system:
        assert system.wait() == 1
        assert system.text == f"{tmp_path / 'data'}: File exists.\n"
