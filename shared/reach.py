"""Whether the servers that a process needs are there when it starts, and as they should be, said in one sentence."""

import psycopg
import redis
import structlog

from shared.database import psycopg_url
from shared.settings import Settings

logger = structlog.get_logger()

_BYPASSES = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


def unreachable(settings: Settings) -> str | None:
    """One sentence on what is not there; a traceback would say it in a hundred lines."""
    try:
        with psycopg.connect(psycopg_url(settings.database_url), connect_timeout=5) as connection:
            _warn_of_bypass(connection)
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


def _warn_of_bypass(connection: psycopg.Connection) -> None:
    """Such a role would do: only the second wall between users, row-level security, would not be there."""
    if connection.execute(_BYPASSES).fetchone() == (True,):
        logger.warning("the role in DATABASE_URL bypasses row-level security: name another one")
