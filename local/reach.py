"""Whether the servers that were given by URL answer; what is said about them never shows a password."""

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict

from local.errors import CannotRun
from shared.database import psycopg_url

_PATIENCE_SECONDS = 5


def reach_postgres(url: str) -> None:
    """Raises CannotRun."""
    try:
        parts = conninfo_to_dict(psycopg_url(url))
    except psycopg.Error:
        raise CannotRun("DATABASE_URL makes no sense: it is to begin with postgresql://.") from None
    try:
        psycopg.connect(psycopg_url(url), connect_timeout=_PATIENCE_SECONDS).close()
    except psycopg.Error as error:
        place = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
        raise CannotRun(f"Postgres does not answer at DATABASE_URL ({place}): {_postgres_reason(error)}") from None


def reach_redis(url: str) -> None:
    """Raises CannotRun."""
    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=_PATIENCE_SECONDS, socket_timeout=_PATIENCE_SECONDS)
    except ValueError:
        raise CannotRun("REDIS_URL makes no sense: it is to begin with redis://, rediss:// or unix://.") from None
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        parts = client.connection_pool.connection_kwargs
        place = parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"
        raise CannotRun(f"Redis does not answer at REDIS_URL ({place}): {error}") from None
    finally:
        client.close()


def _postgres_reason(error: psycopg.Error) -> str:
    """The reason alone, of lines that also repeat the address and give hints."""
    lines = str(error).splitlines() or ["no reason given"]
    reasons = [line.rpartition("failed: ")[2] for line in lines if "failed: " in line]
    return (reasons or lines)[-1].strip()
