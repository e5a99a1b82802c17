"""Sockets lie beside their data, or in a private place where that path does not fit."""

from pathlib import Path

import pytest

from local.errors import CannotRun
from local.sockets import socket_directory


def test_a_short_plain_path_is_taken_as_it_is() -> None:
    assert socket_directory(Path("/srv/chat-kit_1/.local/redis")) == Path("/srv/chat-kit_1/.local/redis")


@pytest.mark.parametrize("data_dir", [Path("/" + "long/" * 20), Path("/a b"), Path("/ü"), Path("/a%20b"), Path("/a?b")])
def test_another_path_gets_one_private_place_of_its_own(data_dir: Path) -> None:
    directory = socket_directory(data_dir)
    try:
        assert directory == socket_directory(data_dir) != socket_directory(data_dir / "another b")
        assert directory.stat().st_mode & 0o777 == 0o700
        assert len(str(directory)) < 85
    finally:
        directory.rmdir()
        socket_directory(data_dir / "another b").rmdir()


def test_a_place_that_others_can_enter_is_refused() -> None:
    directory = socket_directory(Path("/a b"))
    try:
        directory.chmod(0o755)
        with pytest.raises(CannotRun, match="should be a private directory"):
            socket_directory(Path("/a b"))
    finally:
        directory.rmdir()
