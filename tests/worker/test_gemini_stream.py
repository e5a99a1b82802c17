"""Gemini's bytes, however they are cut into parts (over HTTP: test_checked_model.py)."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from worker.gemini_stream import ask_plainly, require_finish

pytestmark = pytest.mark.anyio

SPOKEN = {"candidates": [{"content": {"parts": [{"text": 'He said "finishReason": "STOP"} and left'}]}}]}
FINISHED = {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}


class Parts(httpx.AsyncByteStream):
    def __init__(self, body: bytes, size: int) -> None:
        self.parts = [body[n : n + size] for n in range(0, len(body), size)]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            yield part


def body(*frames: object) -> bytes:
    return b"".join(b"data: " + json.dumps(frame).encode() + b"\r\n\r\n" for frame in frames)


async def read(sent: bytes, *, size: int = 1000, status: int = 200, **headers: str) -> bytes:
    typed = {"content-type": "text/event-stream", **{name.replace("_", "-"): v for name, v in headers.items()}}
    response = httpx.Response(status, headers=typed, stream=Parts(sent, size))
    await require_finish(response)
    return b"".join([part async for part in response.aiter_raw()])


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_finished_stream_comes_as_it_was_sent(size: int) -> None:
    for sent in (body(SPOKEN, FINISHED), body(BLOCKED), body(SPOKEN, FINISHED).removesuffix(b"\r\n\r\n")):
        assert await read(sent, size=size) == sent


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "sent",
    [b"", body(SPOKEN), body(SPOKEN) + b"data: {oops}\r\n\r\n" + body(FINISHED), body(SPOKEN) + body(FINISHED)[:-20]],
    ids=["nothing", "no finish reason", "garbage before it", "cut in its frame"],
)
async def test_an_unfinished_stream_is_an_error(sent: bytes, size: int) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await read(sent, size=size)


async def test_only_readable_streams_are_read() -> None:
    assert await read(b"{}", content_type="application/json") == b"{}"
    assert await read(b"oops", status=500) == b"oops"
    assert await read(b"zipped", content_encoding="gzip") == b"zipped"


async def test_the_answer_is_asked_for_uncompressed() -> None:
    request = httpx.Request("POST", "https://gemini.test", headers={"accept-encoding": "gzip"})
    await ask_plainly(request)
    assert request.headers["accept-encoding"] == "identity"
