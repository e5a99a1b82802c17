"""Is the process alive, is the system ready."""

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.dependencies import CurrentHouse
from shared.channels import REDIS_AWAY
from shared.database import AWAY

router = APIRouter()

PATIENCE_SECONDS = 2.0


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(house: CurrentHouse) -> Response:
    """200 when Postgres and Redis answer and a worker has been seen in the last ten seconds; else 503, saying which."""
    postgres, redis, worker = await asyncio.gather(
        _holds(house.database.across_users.one("SELECT 1 AS one", {})),
        _holds(house.queue.ping()),
        _holds(house.queue.worker_seen()),
    )
    checks = {"postgres": postgres, "redis": redis, "worker": worker}
    return JSONResponse(checks, status_code=200 if all(checks.values()) else 503)


async def _holds(question: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return bool(await question)
    except (*AWAY, *REDIS_AWAY, TimeoutError):
        return False
