"""A stream ends with its run, its reader, its patience, its token, or its process; its source is closed each time."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest

from api.event_stream import EventStream
from api.metrics import ApiMeter, StreamEnd
from api.request_log import STREAM_END
from shared.tables import Run
from tests.numbers import number
from tests.waiting import until

pytestmark = pytest.mark.anyio

RUN = Run(id="run_1", conversation_id="thr_1", user_id="ann", kind="respond", request={})


class Source:
    """Chunks, and then nothing more for ever unless it ends; remembers that it was closed."""

    def __init__(self, *chunks: bytes, ends: bool = False) -> None:
        self._chunks, self._ends = chunks, ends
        self.closed = False

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        try:
            for chunk in self._chunks:
                yield chunk
            if not self._ends:
                await asyncio.Event().wait()
        finally:
            self.closed = True


class Reader:
    """The other side of the connection: what it was sent, and when it leaves."""

    def __init__(self, *, reads: bool = True) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self.reads = reads

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message.get("body") and not self.reads:
            await asyncio.Event().wait()
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_over(self) -> bool:
        return self.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def streaming(
    source: Source,
    reader: Reader,
    closing: asyncio.Event,
    send_timeout: float = 30,
    until: float | None = None,
    meter: ApiMeter | None = None,
    scope: dict[str, Any] | None = None,
) -> asyncio.Task[None]:
    ends = {"send_timeout": send_timeout, "until": until, "closing": closing}
    stream = EventStream(RUN, source.chunks(), **ends, meter=meter or ApiMeter())
    scope = {"type": "http"} if scope is None else scope
    return asyncio.create_task(stream(scope, reader.receive, reader.send))  # type: ignore[arg-type]


async def test_it_ends_with_its_run() -> None:
    source, reader = Source(b"one", b"two", ends=True), Reader()
    await streaming(source, reader, asyncio.Event())
    assert (reader.body, reader.is_over, source.closed) == (b"onetwo", True, True)


@pytest.mark.parametrize(
    ("why", "source"),
    [
        (StreamEnd.END, Source(b"data: one\n\n: end completed\n\n", ends=True)),
        (StreamEnd.COME_BACK, Source(b"data: one\n\n", ends=True)),
        (StreamEnd.LEFT, Source(b"one")),
        (StreamEnd.SLOW, Source(b"one")),
        (StreamEnd.TOKEN, Source(b"one")),
        (StreamEnd.CLOSING, Source(b"one")),
    ],
)
async def test_it_says_why_it_ended(why: StreamEnd, source: Source) -> None:
    reader, closing = Reader(reads=why is not StreamEnd.SLOW), asyncio.Event()
    scope: dict[str, Any] = {"type": "http"}
    if why is StreamEnd.LEFT:
        reader.left.set()
    if why is StreamEnd.CLOSING:
        closing.set()
    expired = 0.0 if why is StreamEnd.TOKEN else None
    await streaming(source, reader, closing, 30 if reader.reads else 0.01, expired, scope=scope)
    assert scope[STREAM_END] == why


async def test_it_ends_with_its_reader() -> None:
    source, reader = Source(b"one"), Reader()
    task = streaming(source, reader, asyncio.Event())
    await until(lambda: reader.body == b"one")
    reader.left.set()
    await task
    assert source.closed


async def test_it_ends_with_its_process() -> None:
    source, reader, closing = Source(b"one"), Reader(), asyncio.Event()
    task = streaming(source, reader, closing)
    await until(lambda: reader.body == b"one")
    closing.set()
    await task
    assert (reader.is_over, source.closed) == (True, True)


async def test_it_ends_with_its_token() -> None:
    source, reader, until = Source(b"one"), Reader(), time.time() + 0.2
    await streaming(source, reader, asyncio.Event(), until=until)
    assert time.time() >= until
    assert (reader.body, reader.is_over, source.closed) == (b"one", True, True)


async def test_a_token_that_is_too_old_already_is_given_nothing() -> None:
    source, reader = Source(), Reader()
    await streaming(source, reader, asyncio.Event(), until=time.time() - 60)
    assert (reader.body, reader.is_over) == (b"", True)


async def test_a_reader_that_does_not_read_is_cut_off() -> None:
    source, reader = Source(b"one"), Reader(reads=False)
    await streaming(source, reader, asyncio.Event(), send_timeout=0.01)
    assert (reader.body, reader.is_over, source.closed) == (b"", True, True)


async def test_a_line_that_breaks_is_no_error() -> None:
    class Broken(Reader):
        async def send(self, message: dict[str, Any]) -> None:
            if self.sent:
                raise OSError
            await super().send(message)

    source = Source(b"one")
    await streaming(source, Broken(), asyncio.Event())
    assert source.closed


async def test_its_headers_say_whose_it_is_and_that_nobody_may_keep_or_gather_it() -> None:
    reader = Reader()
    await streaming(Source(ends=True), reader, asyncio.Event())
    headers = {name.decode(): value.decode() for name, value in reader.sent[0]["headers"]}
    assert headers["content-type"].startswith("text/event-stream")
    assert (headers["x-run-id"], headers["x-thread-id"]) == ("run_1", "thr_1")
    assert headers["content-location"] == "/runs/run_1/events"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")
    assert "content-length" not in headers


class Deaf(Source):
    """Swallows the first cancellation, as redis-py does while it connects."""

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield b"one"
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()


async def test_it_ends_with_its_reader_though_its_source_was_deaf_at_that_moment() -> None:
    reader = Reader()
    task = streaming(Deaf(), reader, asyncio.Event())
    await until(lambda: reader.body == b"one")
    reader.left.set()
    async with asyncio.timeout(30):
        await task


ENDS = [
    (b"data: x\n\n: end completed\n\n", "end"),
    (b": end cancelled\n\n", "end"),
    (b'data: "as if: end"\n\n', "come_back"),
]


@pytest.mark.parametrize(("last", "reason"), ENDS)
async def test_a_stream_without_the_runs_end_is_counted_as_one_to_come_back_to(last: bytes, reason: str) -> None:
    meter = ApiMeter()
    await streaming(Source(b"one", last, ends=True), Reader(), asyncio.Event(), meter=meter)
    assert number(meter, "streams_ended_total", reason=reason) == number(meter, "stream_seconds_count") == 1


async def test_an_open_stream_is_counted_until_it_ends_and_then_why_it_has() -> None:
    meter, reader, closing = ApiMeter(), Reader(), asyncio.Event()
    tasks = [streaming(Source(b"one"), one, closing, meter=meter) for one in (reader, Reader())]
    await until(lambda: number(meter, "streams_open") == 2)
    reader.left.set()
    await tasks[0]
    assert number(meter, "streams_open") == number(meter, "streams_ended_total", reason="left") == 1
    closing.set()
    await tasks[1]
    await streaming(Source(b"one"), Reader(reads=False), asyncio.Event(), send_timeout=0.01, meter=meter)
    await streaming(Source(b"one"), Reader(), asyncio.Event(), until=time.time(), meter=meter)
    assert number(meter, "streams_open") == 0
    assert number(meter, "streams_ended_total", reason="token") == 1
    assert number(meter, "streams_ended_total", reason="closing") == 1
    assert number(meter, "streams_ended_total", reason="slow") == 1


async def test_a_stream_whose_source_breaks_is_counted_as_failed() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise RuntimeError

    meter, reader = ApiMeter(), Reader()
    stream = EventStream(RUN, broken(), send_timeout=30, until=None, closing=asyncio.Event(), meter=meter)
    with pytest.raises(RuntimeError):
        await stream({"type": "http"}, reader.receive, reader.send)  # type: ignore[arg-type]
    assert number(meter, "streams_ended_total", reason="failed") == 1
