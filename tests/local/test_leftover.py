"""A server of an earlier life is ended; anyone else's process is left alone."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.leftover import end_leftover


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Its command line names the data it runs on."""
    command = ["sh", "-c", "echo up; read -r _", str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def end(pid_file: Path, data_dir: Path) -> None:
    end_leftover(pid_file, data_dir=data_dir, stop_signal=signal.SIGTERM)


def test_a_server_on_this_data_is_ended(tmp_path: Path, server: subprocess.Popen[bytes]) -> None:
    (tmp_path / "pid").write_text(f"{server.pid}\nmore lines\n")
    end(tmp_path / "pid", tmp_path / "data")
    assert server.wait() == -signal.SIGTERM
    assert not (tmp_path / "pid").exists()


def test_another_program_under_the_same_number_is_not(tmp_path: Path, server: subprocess.Popen[bytes]) -> None:
    (tmp_path / "pid").write_text(f"{server.pid}\n")
    end(tmp_path / "pid", tmp_path / "other data")
    assert server.poll() is None
    assert not (tmp_path / "pid").exists()


@pytest.mark.parametrize("text", ["", "nonsense", "-1\n", "0", "999999999\n"])
def test_a_pid_file_that_names_nobody_is_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid").write_text(text)
    end(tmp_path / "pid", tmp_path)
    assert not (tmp_path / "pid").exists()
    end(tmp_path / "pid", tmp_path)
