"""One correlation id and one log line for each request, whatever becomes of it.

The id is the client's `X-Request-Id` or `X-Correlation-Id` if it is clean and short, else a new one; it goes back as
`X-Request-Id`, stands in every line that the request makes, and crosses the queue in the run's request.
"""

import time
from collections.abc import Awaitable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.logging import correlation_of, described

logger = structlog.get_logger()

STREAM_END = "chatkit.stream_end"
"""Where in the request's scope a stream says why it ended."""

PROBES = ("/livez", "/readyz", "/metrics")
"""Asked every few seconds by machines: their lines are for the level DEBUG."""


class RequestLog:
    """The outermost ASGI layer, around Starlette's own answer to an unexpected error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, headers = time.monotonic(), Headers(scope=scope)
        told: dict[str, object] = {}
        correlation = correlation_of(headers.get("x-request-id"), headers.get("x-correlation-id"))

        def sending(message: Message) -> Awaitable[None]:
            # Not a coroutine of its own: it is called for each chunk of a stream.
            if message["type"] == "http.response.start":
                told.update(_told(message, correlation))
            return send(message)

        with structlog.contextvars.bound_contextvars(correlation=correlation):
            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                # Starlette has answered by now. Raised on, its text would stand in the server's own log.
                logger.error("unexpected error", **described(error))
            finally:
                _tell(scope, told, milliseconds=round(1000 * (time.monotonic() - begun), 1))


def _told(start: Message, correlation: str) -> dict[str, object]:
    """What the line says of the response; and the id goes into its headers."""
    headers = MutableHeaders(scope=start)
    headers["X-Request-Id"] = correlation
    ids = {"run": headers.get("x-run-id"), "conversation": headers.get("x-thread-id")}
    return {"status": start["status"], **{name: value for name, value in ids.items() if value}}


def _tell(scope: Scope, told: dict[str, object], *, milliseconds: float) -> None:
    route = getattr(scope.get("route"), "path", None)
    if ended := scope.get(STREAM_END):
        told["ended"] = ended
    tell = logger.debug if route in PROBES else logger.info
    tell("request", method=scope["method"], route=route, milliseconds=milliseconds, **told)
