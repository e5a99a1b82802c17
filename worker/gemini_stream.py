"""Gemini's stream, held to its end: LiteLLM takes one that was cut, or that it cannot read, for a whole answer.

LiteLLM 1.109 gives every Gemini chunk the finish reason `stop`, so the real one must be looked for in the bytes.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

_DECODER = json.JSONDecoder()


async def ask_plainly(request: httpx.Request) -> None:
    """An httpx request hook: no compression, so that `require_finish` can read the answer."""
    request.headers["accept-encoding"] = "identity"


async def require_finish(response: httpx.Response) -> None:
    """An httpx response hook: a stream's body raises httpx.RemoteProtocolError unless Gemini ended it."""
    streams = response.headers.get("content-type", "").startswith("text/event-stream")
    readable = response.is_success and "content-encoding" not in response.headers
    if streams and readable and isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Finished(response.stream)


class _Finished(httpx.AsyncByteStream):
    """The bytes as they come; an end without a finish reason is an error."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner
        self._line = b""
        self._unread = ""
        self._ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._inner:
            *lines, self._line = (self._line + part).split(b"\n")
            for line in lines:
                self._read(line)
            yield part
        self._read(self._line)
        if not self._ended:
            raise httpx.RemoteProtocolError("the stream ended without a finish reason")

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _read(self, line: bytes) -> None:
        """Reads as LiteLLM does: what is no JSON yet waits for more, and garbage swallows all that follows."""
        self._unread += line.removeprefix(b"data:").strip().decode(errors="replace")
        if not self._unread.endswith("}"):
            return
        try:
            body, end = _DECODER.raw_decode(self._unread)
        except json.JSONDecodeError:
            return
        self._unread = self._unread[end:]
        self._ended = self._ended or _ends(body)


def _ends(body: Any) -> bool:
    """A finish reason, or a prompt that was blocked before anything was said."""
    if not isinstance(body, dict):
        return False
    finished = any(candidate.get("finishReason") for candidate in body.get("candidates", ()))
    return finished or bool(body.get("promptFeedback", {}).get("blockReason"))
