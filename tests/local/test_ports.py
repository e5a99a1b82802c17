"""Where the API will listen, or why it cannot."""

import socket

import pytest

from local.errors import CannotRun
from local.ports import choose_port


def test_a_free_port_is_taken_as_it_is() -> None:
    port = choose_port("127.0.0.1", 0)
    assert port > 0
    assert choose_port("127.0.0.1", port) == port


def test_a_port_in_use_is_refused_with_advice() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotRun, match=f"Port {port} is in use.*PORT={port + 1}"):
            choose_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(CannotRun, match=f"Nothing can listen on {host}"):
        choose_port(host, 0)
