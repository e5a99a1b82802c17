"""`python -m api`: the HTTP server."""

import asyncio
import gc
import socket
import sys
from types import FrameType

import uvicorn

from api import auth
from api.app import create_app
from api.http import BoundedHttp
from shared import tracing
from shared.logging import configure
from shared.reach import unreachable
from shared.settings import Settings, UnusableSettings

GRACE_SECONDS = 10
KEEP_ALIVE_SECONDS = 75
"""Longer than proxies keep an idle connection (nginx, ALB: 60 s): one closed here first fails a request on its way."""


class Server(uvicorn.Server):
    """uvicorn, whose open streams end as soon as the signal comes: it would wait for them otherwise."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 if at the start a setting is missing, or a server cannot be reached."""
    try:
        settings = Settings.load()
    except UnusableSettings as reason:
        print(reason, file=sys.stderr)
        return 1
    configure(settings, process="api")
    tracing.configure(settings, process="api")
    if complaint := auth.complaint(settings) or _port_taken(settings) or unreachable(settings):
        print(complaint, file=sys.stderr)
        return 1
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=BoundedHttp,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
    )
    # What has been imported lives as long as the process: no collection needs to walk it again, and one in the midst
    # of parsing a large body would take ten times as long as the parsing.
    gc.freeze()
    server = Server(config, app.state.closing)
    server.run()
    return 0 if server.started else 1


def _port_taken(settings: Settings) -> str | None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError:
            return f"Port {settings.port} of {settings.host} cannot be had: is it in use? Set PORT to another one."
    return None


sys.exit(main())
