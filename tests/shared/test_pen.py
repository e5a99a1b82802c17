"""A pen whose Redis is silent is put down: what it was to write is written by another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared import pen as pens
from shared.pen import Append, Pen
from shared.records import Cursor, End, encode
from shared.redis import connect
from shared.redis_line import Line

pytestmark = pytest.mark.anyio

SHA = b"$40\r\n" + b"0" * 40 + b"\r\n"


@asynccontextmanager
async def silent(*, after: bytes) -> AsyncIterator[str]:
    """The URL of a server that greets as Redis does and says nothing more once it was asked for this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if after in data:
                await reader.read()
                break
            writer.write(b"+OK\r\n" * data.count(b"SETINFO") + SHA * data.count(b"LOAD"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pens, "ANSWER_SECONDS", 0.05)


async def test_a_server_that_does_not_take_the_script_is_given_up() -> None:
    async with silent(after=b"LOAD") as url:
        line = await Line.connect(connect(url))
        with pytest.raises(TimeoutError):
            await Pen.take(line, "return 1", tail_ms=1)
        assert line._writer.is_closing()


async def test_a_server_that_does_not_answer_an_append_is_given_up() -> None:
    async with silent(after=b"EVALSHA") as url:
        pen = await Pen.take(await Line.connect(connect(url)), "return 1", tail_ms=1)
        pen.write([Append("run_1", 1, Cursor(1, 1), [encode(End("completed"))], 0.0)])
        with pytest.raises(TimeoutError):
            await pen.results()
        await pen.close()
