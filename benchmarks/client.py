"""The load client: opens streams, keeps every byte with its time, and reads none of them until the work is over."""

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import cast

from tests.house import token

PATIENCE = 120.0

_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")
_STAMP = re.compile(rb'text_delta","content_index":0,"delta":"w (\d+) ')
_FRAME = re.compile(rb"^data: (.+)$", re.MULTILINE)
DELTA = b'"assistant_message.content_part.text_delta"'
_ID = re.compile(rb"^id: (\S+)$", re.MULTILINE)


_tokens: dict[str, str] = {}


def request(method: str, path: str, user: str, body: bytes = b"", **headers: str) -> bytes:
    """One HTTP/1.1 request, as bytes."""
    bearer = _tokens.setdefault(user, token(user))
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {bearer}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def said(text: str, thread_id: str | None = None) -> bytes:
    """The ChatKit request that says this."""
    message = {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}
    kind, place = ("threads.add_user_message", {"thread_id": thread_id}) if thread_id else ("threads.create", {})
    return json.dumps({"type": kind, "params": {"input": message, **place}}).encode()


class Stream(asyncio.Protocol):
    """One connection with one request on it. What arrives is kept with the time of its arrival, and looked at later."""

    def __init__(self) -> None:
        self.asked_at = 0
        self.pieces: list[tuple[int, bytes]] = []
        self.ended = asyncio.get_running_loop().create_future()
        self.begun = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, data: bytes) -> None:
        """Send the request."""
        assert self._transport is not None
        self.asked_at = time.perf_counter_ns()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.pieces.append((time.perf_counter_ns(), data))
        if not self.begun.done() and b"data: " in data:
            self.begun.set_result(None)
        if data.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.begun, self.ended):
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()


@dataclass
class Received:
    """What one stream has brought. Times in seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    asked_at: float
    arrivals: list[tuple[float, int]] = field(repr=False)
    """(when, how many bytes of the body had come by then)."""

    @property
    def frames(self) -> list[bytes]:
        """The data of each frame."""
        return _FRAME.findall(self.body)

    @property
    def ids(self) -> list[str]:
        """The ids of the frames that have one."""
        return [found.decode() for found in _ID.findall(self.body)]

    @property
    def deltas(self) -> int:
        return self.body.count(DELTA)

    @property
    def first_delta(self) -> float:
        """Seconds from the request to the first delta."""
        return self._arrival(self.body.index(DELTA)) - self.asked_at

    @property
    def lateness(self) -> list[float]:
        """For each delta, the seconds from its making to its arrival."""
        late, at = [], 0
        for found in _STAMP.finditer(self.body):
            while self.arrivals[at][1] < found.end():
                at += 1
            late.append(self.arrivals[at][0] - int(found[1]) / 1e6)
        return late

    def _arrival(self, place: int) -> float:
        return next(when for when, length in self.arrivals if length > place)


def received(stream: Stream) -> Received:
    """The stream's bytes as what they are."""
    raw = b"".join(data for _, data in stream.pieces)
    head, _, rest = raw.partition(b"\r\n\r\n")
    status_line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    chunked = headers.get("transfer-encoding") == "chunked"
    body, places = _dechunked(rest, len(head) + 4) if chunked else (rest, [(len(head) + 4, 0)])
    return Received(
        status=int(status_line.split()[1]) if " " in status_line else 0,
        headers=headers,
        body=body,
        asked_at=stream.asked_at / 1e9,
        arrivals=_arrivals(stream, places),
    )


def _dechunked(raw: bytes, offset: int) -> tuple[bytes, list[tuple[int, int]]]:
    """(the body, for each chunk where it began in the raw bytes and in the body)."""
    parts, places, at, length = [], [], 0, 0
    while found := _CHUNK.match(raw, at):
        size = int(found[1], 16)
        places.append((found.end() + offset, length))
        parts.append(raw[found.end() : found.end() + size])
        length += len(parts[-1])
        at = found.end() + size + 2
        if size == 0:
            break
    return b"".join(parts), places


def _arrivals(stream: Stream, places: Sequence[tuple[int, int]]) -> list[tuple[float, int]]:
    arrivals, total, index = [], 0, 0
    for when, data in stream.pieces:
        total += len(data)
        while index + 1 < len(places) and places[index + 1][0] <= total:
            index += 1
        if places and places[index][0] <= total:
            start, length = places[index]
            arrivals.append((when / 1e9, length + total - start))
    return arrivals


async def connected(port: int) -> Stream:
    """An open connection."""
    _, stream = await asyncio.get_running_loop().create_connection(Stream, "127.0.0.1", port)
    return stream


async def fetched(port: int, data: bytes) -> Received:
    """One request, to its end."""
    stream = await connected(port)
    stream.ask(data)
    async with asyncio.timeout(PATIENCE):
        await stream.ended
    stream.close()
    return received(stream)


async def together(port: int, requests: Sequence[bytes], *, spread: float = 0.0) -> list[Received]:
    """All requests at once, or begun evenly over `spread` seconds; each to its end."""
    streams = [await connected(port) for _ in requests]
    pause = spread / max(len(requests), 1)
    for stream, data in zip(streams, requests, strict=True):
        stream.ask(data)
        if pause:
            await asyncio.sleep(pause)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(stream.ended for stream in streams))
    for stream in streams:
        stream.close()
    return [received(stream) for stream in streams]


def percentile(values: Sequence[float], percent: int) -> float:
    """The percentile of at least two values."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]
