"""The whole system's life, with stand-ins for our programs: how it starts, what it survives, how it ends."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from local.postgres import Postgres
from local.redis import Redis
from tests.local.processes import eventually, runs
from tests.local.system_process import SystemProcess, running_system


def start(data_dir: Path, **env: str) -> AbstractContextManager[SystemProcess]:
    command = [sys.executable, "-m", "tests.local.stand_in_system", str(data_dir)]
    return running_system(command, cwd=data_dir.parent, **env)


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


@pytest.mark.parametrize("end", ["ctrl-c", "sigterm", "sigterm to all"])
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
    with start(data, STAND_IN="stubborn") as system:
        assert system.url
        children = system.children()
        assert len(children) > 5
        system.process.kill()
        eventually(lambda: not any(map(runs, children)))
    secret = (data / "secret").read_text()
    with start(data) as next_one:
        assert next_one.url
    assert (data / "secret").read_text() == secret


def test_what_is_killed_is_started_again_and_said_so(system: SystemProcess, data: Path) -> None:
    def pid(name: str) -> int:
        pid_files = {"Valkey": "redis/valkey.pid", "Postgres": "postgres/postmaster.pid"}
        if name not in pid_files:
            return int(re.findall(rf"{name} +\| here is \w+, process (\d+)", system.text)[-1])
        file = data / pid_files[name]
        return int(file.read_text().split()[0]) if file.exists() and file.read_text() else 0

    names = ["worker-1", "api", "Valkey", "Postgres"]
    system.find(r"worker-1 +\| here is")
    killed = {name: pid(name) for name in names}
    for name in names:
        os.kill(killed[name], signal.SIGKILL)
        system.find(rf"local +\| {name} was ended by SIGKILL; it is started again")
    eventually(lambda: all(pid(name) not in (killed[name], 0) and runs(pid(name)) for name in names))
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


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("REDIS_URL", "redis://:hush@127.0.0.1:9/0", "Redis does not answer at REDIS_URL"),
        ("WORKERS", "0", "WORKERS=0 makes no sense"),
    ],
)
def test_an_environment_that_cannot_work_is_said_in_one_line(data: Path, name: str, value: str, said: str) -> None:
    with start(data, **{name: value}) as system:
        assert system.wait() == 1
        assert said in system.text
        assert "Traceback" not in system.text
        assert "hush" not in system.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to be hidden from Postgres")
def test_root_on_a_machine_without_user_namespaces_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    with start(tmp_path / "data", PATH=f"{tmp_path}:{os.environ['PATH']}") as system:
        assert system.wait() == 1
        assert system.text.startswith("Postgres runs neither as root nor")


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


def test_servers_given_by_url_are_used_as_they_are_and_left_running(tmp_path: Path) -> None:
    with Postgres(tmp_path / "postgres", durable=False) as postgres, Redis(tmp_path / "redis", durable=False) as redis:
        with start(tmp_path / "data", DATABASE_URL=postgres.url, REDIS_URL=redis.url) as system:
            assert system.find(r"api .* on (\S+ \S+)") == f"{postgres.url} {redis.url}"
            system.interrupt()
            assert system.wait() == 0
        assert postgres.alive
        assert redis.alive
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["lock", "secret"]


def test_broken_data_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with start(tmp_path / "data") as system:
        assert system.wait() == 1
        assert system.text == f"{tmp_path / 'data'}: File exists.\n"
