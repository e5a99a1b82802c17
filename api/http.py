"""HTTP as uvicorn speaks it, with an end to a request's head: uvicorn sets none, in bytes or in seconds.

A proxy in front usually does; without one, a header of gigabytes would be kept in memory for anyone who sends it.
"""

import asyncio
from typing import ClassVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.problems import problem_response
from shared.errors import HeadTooLarge, Problem, TooSlow

MAX_HEAD_BYTES = 64 * 1024
MAX_READ_BYTES = 4 * MAX_HEAD_BYTES
"""What is read of a head before it is whole: room for an absurdly large token, answered as any bad one."""
TOKEN_HEADER = b"authorization"


class BoundedHttp(HttpToolsProtocol):
    """One connection. A head that is too large gets 431, one that does not come in time 408, and the line is closed."""

    head_seconds: ClassVar[float] = 15.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_there()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_there()
        headers = ((name, value) for name, value in self.headers if name != TOKEN_HEADER)
        size = len(self.url) + sum(len(name) + len(value) for name, value in headers)
        self.app = _refuse_head if size > MAX_HEAD_BYTES else self.config.loaded_app
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_READ_BYTES:
                self._refuse(HeadTooLarge())

    def _await_head(self) -> None:
        self._head_bytes = 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _head_is_there(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = None

    def _too_slow(self) -> None:
        if self._head_bytes:
            self._refuse(TooSlow())
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer without an application: there is no whole request to give it."""
        self._head_is_there()
        response = problem_response(problem)
        head = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
        self.transport.write(STATUS_LINE[problem.status] + head + b"\r\n" + bytes(response.body))
        self.transport.close()


async def _refuse_head(scope: Scope, receive: Receive, send: Send) -> None:
    response: Response = problem_response(HeadTooLarge())
    await response(scope, receive, send)
