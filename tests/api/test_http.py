"""A request's head has an end: in bytes, and in seconds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from api.http import MAX_HEAD_BYTES, MAX_READ_BYTES, BoundedHttp

pytestmark = pytest.mark.anyio

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
BEGINNING = b"GET / HTTP/1.1\r\nHost: api\r\n"


class Impatient(BoundedHttp):
    head_seconds = 0.2


@asynccontextmanager
async def line_to(protocol: type[BoundedHttp]) -> AsyncIterator[Line]:
    """A connection to a server that says `hello`."""
    config = uvicorn.Config(PlainTextResponse("hello"), log_config=None)
    config.load()
    state, loop = ServerState(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    async with server, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        yield reader, writer
        writer.close()


async def said(line: Line, *parts: bytes) -> bytes:
    """What comes back, to the end of the line."""
    reader, writer = line
    for part in parts:
        writer.write(part)
        await writer.drain()
    return await reader.read()


async def test_a_head_that_is_too_large_is_refused_and_the_line_closed() -> None:
    async with line_to(BoundedHttp) as line:
        answer = await said(line, BEGINNING + b"A: " + b"x" * MAX_READ_BYTES)
        assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
        assert b"content-type: application/problem+json" in answer


async def test_a_head_without_an_end_is_not_read_to_its_end() -> None:
    async with line_to(BoundedHttp) as line:
        with pytest.raises(ConnectionError):
            await said(line, BEGINNING + b"A: ", *[b"x" * 1_000_000] * 100)


async def test_a_head_that_is_too_large_is_refused_though_it_came_at_once() -> None:
    async with line_to(BoundedHttp) as line:
        answer = await said(line, BEGINNING + b"A: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"hello" not in answer


async def test_a_head_of_an_ordinary_size_is_let_in() -> None:
    async with line_to(BoundedHttp) as line:
        padding = b"A: " + b"x" * (MAX_HEAD_BYTES - 1_000) + b"\r\n"
        answer = await said(line, BEGINNING + padding, b"Connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_head_that_does_not_come_in_time_is_given_up() -> None:
    async with line_to(Impatient) as line:
        assert (await said(line, BEGINNING)).startswith(b"HTTP/1.1 408 ")


async def test_the_second_head_on_a_line_has_its_end_too() -> None:
    async with line_to(Impatient) as line:
        answer = await said(line, BEGINNING + b"\r\n" + BEGINNING)
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert answer.count(b"HTTP/1.1 408 ") == 1


async def test_a_line_on_which_nothing_is_said_is_closed() -> None:
    async with line_to(Impatient) as line:
        assert await said(line) == b""
