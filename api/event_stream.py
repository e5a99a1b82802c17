"""An SSE response that ends when it should: with its run, its reader, its patience, its token, or its process."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.metrics import ApiMeter, Stream, StreamEnd
from api.request_log import STREAM_END
from shared import tracing
from shared.patience import Patience
from shared.tables import Run

ENDING_SECONDS = 0.1


class EventStream(Response):
    """Sends chunks as they come. Written on raw ASGI: a StreamingResponse waits for ever on a reader that does not
    read, and keeps its process from exiting. `until` is in seconds since the epoch."""

    def __init__(
        self,
        run: Run,
        chunks: AsyncGenerator[bytes, None],
        *,
        send_timeout: float,
        until: float | None,
        closing: asyncio.Event,
        meter: ApiMeter,
    ) -> None:
        super().__init__(media_type="text/event-stream", headers=stream_headers(run))
        # A stream has no length.
        self.raw_headers = [header for header in self.raw_headers if header[0] != b"content-length"]
        self._run, self._chunks, self._send_timeout = run, chunks, send_timeout
        self._until, self._closing = until, closing
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._meter.stream() as stream:
            try:
                await self._stream(stream, receive, send)
            finally:
                scope[STREAM_END] = stream.ended

    async def _stream(self, stream: Stream, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with tracing.span("relay", {"run.id": self._run.id}) as span:
            tracing.link(span, self._run.request.get("traceparent"))
            try:
                await self._until_an_end(stream, receive, send)
            finally:
                span.set_attribute("stream.end", stream.ended)
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _until_an_end(self, stream: Stream, receive: Receive, send: Send) -> None:
        with tracing.apart():
            sending = asyncio.create_task(self._send_all(send))
            left, closing = asyncio.create_task(_left(receive)), asyncio.create_task(self._closing.wait())
        seconds = None if self._until is None else max(0.0, self._until - time.time())
        try:
            await asyncio.wait([sending, left, closing], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            stream.ended = self._why(sending, left)
        finally:
            for task in (left, closing):
                task.cancel()
            # More than once: redis-py swallows a cancellation that comes while it connects.
            while not sending.done():
                sending.cancel()
                await asyncio.wait([sending], timeout=ENDING_SECONDS)
            with suppress(asyncio.CancelledError):
                await sending

    async def _send_all(self, send: Send) -> StreamEnd:
        chunk = b""
        try:
            with closing(Patience(self._send_timeout)) as patience:
                async with aclosing(self._chunks) as chunks:
                    async for chunk in chunks:
                        with patience:
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            return StreamEnd.SLOW
        except OSError:
            return StreamEnd.LEFT
        return StreamEnd.END if b"\n: end " in b"\n" + chunk else StreamEnd.COME_BACK

    def _why(self, sending: asyncio.Task[StreamEnd], left: asyncio.Task[None]) -> StreamEnd:
        if sending.done():
            return StreamEnd.FAILED if sending.exception() else sending.result()
        if self._closing.is_set():
            return StreamEnd.CLOSING
        return StreamEnd.LEFT if left.done() else StreamEnd.TOKEN


def stream_headers(run: Run) -> dict[str, str]:
    """What a streaming answer carries (design.md §6)."""
    return {
        "X-Run-Id": run.id,
        "X-Thread-Id": run.conversation_id or "",
        "Content-Location": f"/runs/{run.id}/events",
        "Cache-Control": "no-cache, no-transform",
        "X-Accel-Buffering": "no",
        # A reader that has not read would keep its line for as long as an idle one is kept.
        "Connection": "close",
    }


async def _left(receive: Receive) -> None:
    """Wait until the reader is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
