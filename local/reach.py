"""Whether the servers that were given by URL answer; what is said about them never shows a password."""

import asyncio
import os
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from local.errors import CannotRun
from shared.channels import REDIS_AWAY
from shared.database import psycopg_url
from shared.reach import ping

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
        asyncio.run(ping(url))
    except ValueError:
        raise CannotRun(
            "REDIS_URL makes no sense: it is to begin with redis://, rediss://, unix:// or redis+sentinel://."
        ) from None
    except REDIS_AWAY as error:
        raise CannotRun(f"Redis does not answer at REDIS_URL ({_place(url)}): {_redis_reason(error)}") from None


def _place(url: str) -> str:
    """The address without its user and password."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def _redis_reason(error: BaseException) -> str:
    """What the system calls it, where it was the system that said no."""
    cause = error.__context__
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)


def _postgres_reason(error: psycopg.Error) -> str:
    """The reason alone, of lines that also repeat the address and give hints."""
    lines = str(error).splitlines() or ["no reason given"]
    reasons = [line.rpartition("failed: ")[2] for line in lines if "failed: " in line]
    return (reasons or lines)[-1].strip()
