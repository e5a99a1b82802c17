"""Whether the servers that a process needs are there when it starts, and as they should be, said in one sentence."""

import asyncio

import psycopg
import structlog

from shared.channels import REDIS_AWAY
from shared.database import psycopg_url
from shared.redis import connect
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
        try:
            asyncio.run(ping(url))
        except (*REDIS_AWAY, ValueError):
            return "Redis cannot be reached: is REDIS_URL right, and the server up?"
    return None


def _warn_of_bypass(connection: psycopg.Connection) -> None:
    """Such a role would do: only the second wall between users, row-level security, would not be there."""
    if connection.execute(_BYPASSES).fetchone() == (True,):
        logger.warning("the role in DATABASE_URL bypasses row-level security: name another one")


async def ping(url: str) -> None:
    """Returns when Redis has answered. Raises what it raises, and ValueError for a bad URL."""
    async with connect(url) as client:
        await client.ping()
