"""A worker's metrics on a port of their own, served by a thread: a loop that stands still does not hide them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingTCPServer

import structlog
from prometheus_client import MetricsHandler

from shared.metrics import Meter, may_read
from shared.settings import Settings, UnusableSettings

logger = structlog.get_logger()

SEND_SECONDS = 10.0
"""For one who asks and does not listen."""


@contextmanager
def metrics_port(settings: Settings, meter: Meter) -> Iterator[int | None]:
    """The port that the meter is read at meanwhile; None where none is wanted. Raises UnusableSettings."""
    if settings.metrics_port is None:
        yield None
        return
    with _Server(settings, meter) as server:
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        port: int = server.server_address[1]
        logger.info("metrics to be read", port=port)
        try:
            yield port
        finally:
            server.shutdown()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, settings: Settings, meter: Meter) -> None:
        self.address_family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        try:
            super().__init__((settings.host, settings.metrics_port or 0), _page(settings, meter))
        except OSError:
            where = f"METRICS_PORT={settings.metrics_port} of {settings.host}"
            raise UnusableSettings(f"{where} cannot be had: is it in use? 0 takes any free one.") from None


def _page(settings: Settings, meter: Meter) -> type[MetricsHandler]:
    class Page(MetricsHandler):
        registry = meter.registry
        timeout = SEND_SECONDS

        def do_GET(self) -> None:
            if may_read(settings, self.headers.get("Authorization")):
                super().do_GET()
            else:
                self.send_error(401)

    return Page
