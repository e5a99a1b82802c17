"""Whether the servers that a process needs are there when it starts, said in one sentence."""

import psycopg
import redis

from shared.database import psycopg_url
from shared.settings import Settings


def unreachable(settings: Settings) -> str | None:
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
