"""A file's bytes to whoever may have them, without letting a browser take them for a page of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Types that a browser may show in place; every other is saved."""


class FileResponse(Response):
    """Sends chunks as they are read, and gives up on a reader that does not read."""

    def __init__(
        self, chunks: AsyncIterator[bytes], *, size: int, name: str, mime_type: str, send_timeout: float
    ) -> None:
        disposition = "inline" if mime_type in SHOWN else "attachment"
        super().__init__(
            media_type=mime_type if mime_type in SHOWN else "application/octet-stream",
            headers={
                "Content-Length": str(size),
                "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name, safe='')}",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Cache-Control": "private, max-age=3600, immutable",
            },
        )
        self._chunks, self._send_timeout = chunks, send_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        with suppress(OSError, TimeoutError):
            async for chunk in self._chunks:
                async with asyncio.timeout(self._send_timeout):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
