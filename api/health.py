"""Is the process alive, is the system ready, and what it has been doing."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.dependencies import CurrentHouse
from shared.channels import REDIS_AWAY
from shared.database import AWAY
from shared.errors import Unauthorized
from shared.metrics import may_read

router = APIRouter()

PATIENCE_SECONDS = 2.0


@router.get("/livez")
async def livez() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(house: CurrentHouse) -> Response:
    """200 when Postgres and Redis answer and a worker has been seen in the last ten seconds; else 503, saying which.

    Redis is the queue's and the one of the logs, where these are two.
    """
    postgres, queue, logs, worker = await asyncio.gather(
        _holds(house.database.across_users.one("SELECT 1 AS one", {})),
        _holds(house.queue.ping()),
        _holds(house.relay.log.ping()),
        _holds(house.queue.worker_seen()),
    )
    checks = {"postgres": postgres, "redis": queue and logs, "worker": worker}
    return JSONResponse(checks, status_code=200 if all(checks.values()) else 503)


@router.get("/metrics")
async def metrics(house: CurrentHouse, authorization: Annotated[str | None, Header()] = None) -> Response:
    """This process's measures, and the queue's, for Prometheus. Raises Unauthorized where METRICS_TOKEN asks for it."""
    if not may_read(house.settings, authorization):
        raise Unauthorized
    await house.census.take()
    return Response(house.meter.page(), headers={"Content-Type": CONTENT_TYPE_LATEST})


async def _holds(question: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return bool(await question)
    except (*AWAY, *REDIS_AWAY, TimeoutError):
        return False
