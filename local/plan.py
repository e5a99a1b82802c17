"""What the whole system consists of, and the environment that its programs share."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.program import Program
from local.settings import ROOT, LocalSettings


@dataclass(frozen=True)
class Plan:
    """The migrations are carried out once, then the programs are kept running."""

    migrations: Program
    programs: Sequence[Program]


def plan(settings: LocalSettings) -> Plan:
    numbers = range(1, settings.workers + 1)
    workers = [Program(f"worker-{n}", ("-m", "worker"), _metrics(settings, n)) for n in numbers]
    return Plan(
        migrations=Program("migrate", ("-m", "alembic", "-c", str(ROOT / "pyproject.toml"), "upgrade", "head")),
        programs=[Program("api", ("-m", "api")), *workers],
    )


def _metrics(settings: LocalSettings, number: int) -> dict[str, str]:
    """The worker's port for its metrics: no two of one machine can have the same."""
    first = settings.metrics_port
    return {"METRICS_PORT": str(first + number - 1)} if first else {}


def environment(
    settings: LocalSettings, *, port: int, database_url: str, owner_url: str | None, redis_url: str, secret: str
) -> Mapping[str, str]:
    """Ours, and what the programs must be told; a name set here wins over the same name in .env.

    `owner_url` is the embedded Postgres for the migrations; None where it is somebody else's.
    """
    told = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "HOST": settings.host,
        "PORT": str(port),
        "PUBLIC_URL": settings.public_url or f"http://localhost:{port}",
        "DRAIN_SECONDS": str(settings.drain_seconds),
        "LOG_FORMAT": os.environ.get("LOG_FORMAT", "console"),
        "DEV_TOKEN": "1" if settings.dev_token else "0",
        "BETTER_AUTH_SECRET": secret,
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
    }
    if owner_url is not None:
        told["MIGRATIONS_DATABASE_URL"] = owner_url  # else one meant for another database might be found
    if settings.redis_url is None:
        told["EVENTS_REDIS_URL"] = redis_url
    if settings.example is not None:
        told["CHATKIT_SERVER"] = f"examples.{settings.example}:Server"
    return os.environ | told
