"""Whether the servers that were given by URL answer."""

from urllib.parse import urlsplit

import psycopg
import redis

from local.errors import CannotRun
from shared.database import psycopg_url

_PATIENCE_SECONDS = 5


def reach_postgres(url: str) -> None:
    """Raises CannotRun, which never shows the URL's password."""
    try:
        psycopg.connect(psycopg_url(url), connect_timeout=_PATIENCE_SECONDS).close()
    except psycopg.Error as error:
        raise CannotRun(f"Postgres does not answer at DATABASE_URL ({_place(url)}): {_reason(error)}") from None


def reach_redis(url: str) -> None:
    """Raises CannotRun, which never shows the URL's password."""
    try:
        with redis.Redis.from_url(
            url, socket_connect_timeout=_PATIENCE_SECONDS, socket_timeout=_PATIENCE_SECONDS
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise CannotRun(f"Redis does not answer at REDIS_URL ({_place(url)}): {_reason(error)}") from None


def _place(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2] or urlsplit(url).path or "no host"


def _reason(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "no reason given")
