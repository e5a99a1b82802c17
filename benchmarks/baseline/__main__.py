"""`python -m benchmarks.baseline`: the in-process backend, as the SDK's guides write it.

PORT, DATABASE_URL, BETTER_AUTH_SECRET, and PROCESSES for more than one. CACHED=1 is the one-line fix that its
maintainers may make any day: the request's `TypeAdapter` is built once and not for each request.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import jwt
import uvicorn
from agents import set_tracing_disabled
from chatkit import server as sdk
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import ChatKitReq
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import Response, StreamingResponse
from psycopg_pool import AsyncConnectionPool
from pydantic import TypeAdapter

from benchmarks.baseline.store import PostgresStore
from benchmarks.servers import PlainServer


class _Cached:
    """Stands where the SDK builds its adapter, and gives the same one each time."""

    _adapter: TypeAdapter[ChatKitReq] = TypeAdapter(ChatKitReq)

    def __class_getitem__(cls, _: object) -> "type[_Cached]":
        return cls

    def __new__(cls, _: object) -> TypeAdapter[ChatKitReq]:  # type: ignore[misc]
        return cls._adapter


def create_app() -> FastAPI:
    """One route, and the bearer token checked as ours is."""
    set_tracing_disabled(True)
    logging.getLogger("chatkit").setLevel(logging.CRITICAL)
    if os.environ.get("CACHED"):
        sdk.TypeAdapter = _Cached  # type: ignore[assignment, attr-defined]
    secret = os.environ["BETTER_AUTH_SECRET"]
    pool: AsyncConnectionPool = AsyncConnectionPool(
        os.environ["DATABASE_URL"], min_size=2, max_size=10, open=False, kwargs={"autocommit": True}
    )
    server: ChatKitServer[str] = PlainServer(PostgresStore(pool))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/chatkit")
    async def chatkit(request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        try:
            user_id = jwt.decode(token, secret, algorithms=["HS256"])["sub"]
        except jwt.PyJWTError:
            raise HTTPException(401) from None
        result = await server.process(await request.body(), user_id)
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    return app


if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.baseline.__main__:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=int(os.environ.get("PROCESSES", "1")),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
