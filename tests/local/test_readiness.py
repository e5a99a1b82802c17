"""Asking /readyz, which may not even be there yet."""

import http.server
import socket
import threading
from collections.abc import Iterator

import pytest

from local.readiness import is_ready


class Busy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" and self.server.ready else 503)  # type: ignore[attr-defined]
        self.end_headers()
        self.wfile.write(b'{"worker": false}')


@pytest.fixture
def api() -> Iterator[http.server.HTTPServer]:
    with http.server.HTTPServer(("127.0.0.1", 0), Busy) as server:
        server.ready = False  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_what_is_not_ready_says_what_it_waits_for(api: http.server.HTTPServer) -> None:
    assert is_ready("127.0.0.1", api.server_port) == (False, '{"worker": false}')


def test_an_address_to_listen_on_is_called_by_one_that_can_be_called(api: http.server.HTTPServer) -> None:
    api.ready = True  # type: ignore[attr-defined]
    assert is_ready("0.0.0.0", api.server_port)[0]


def test_nobody_there_is_not_ready_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    ready, answer = is_ready("127.0.0.1", port)
    assert not ready
    assert answer.startswith("no answer")
