"""`python -m api`: the HTTP server."""

import asyncio
import sys
from types import FrameType

import psycopg
import redis
import uvicorn

from api.app import create_app
from shared.database import psycopg_url
from shared.logging import configure
from shared.settings import Settings, UnusableSettings

GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """uvicorn, whose open streams end as soon as the signal comes: it would wait for them otherwise."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 if a server that it needs cannot be reached at the start."""
    try:
        settings = Settings.load()
    except UnusableSettings as reason:
        print(reason, file=sys.stderr)
        return 1
    configure(settings.log_level, process="api")
    if complaint := _unreachable(settings):
        print(complaint, file=sys.stderr)
        return 1
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    server = Server(config, app.state.closing)
    server.run()
    return 0 if server.started else 1


def _unreachable(settings: Settings) -> str | None:
    """One sentence on what is not there; a traceback would say it in a hundred lines."""
    try:
        psycopg.connect(psycopg_url(settings.database_url), connect_timeout=5).close()
    except psycopg.OperationalError:
        return "Postgres cannot be reached: is DATABASE_URL right, and the server up?"
    for url in {settings.redis_url, settings.events_url}:
        client = redis.Redis.from_url(url, socket_connect_timeout=5)
        try:
            client.ping()
        except (redis.RedisError, OSError):
            return "Redis cannot be reached: is REDIS_URL right, and the server up?"
        finally:
            client.close()
    return None


sys.exit(main())
