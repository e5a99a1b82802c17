"""The plain in-process backend, as the SDK's guides write it: `server.process()` inside the request."""

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from agents import set_tracing_disabled
from chatkit.server import ChatKitServer, StreamingResult
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse


def create_app(server: ChatKitServer[Any]) -> FastAPI:
    """One route. Whoever bears a token is the user of that name."""
    app = FastAPI()

    @app.post("/chatkit")
    async def chatkit(request: Request) -> Response:
        user_id = request.headers["authorization"].removeprefix("Bearer ")
        context = {"user_id": user_id, "locale": request.headers.get("accept-language")}
        result = await server.process(await request.body(), context)
        if isinstance(result, StreamingResult):
            return StreamingResponse(result, media_type="text/event-stream")
        return Response(content=result.json, media_type="application/json")

    return app


@contextmanager
def running(server: ChatKitServer[Any]) -> Iterator[str]:
    """The backend in a thread of its own; its base URL."""
    set_tracing_disabled(True)
    logging.getLogger("chatkit").setLevel(logging.CRITICAL)
    config = uvicorn.Config(create_app(server), log_config=None, log_level=100, lifespan="off")
    uvicorn_server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=uvicorn_server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            uvicorn_server.should_exit = uvicorn_server.force_exit = True
            thread.join(timeout=5)
