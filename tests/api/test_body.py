"""A request's body: bounded, JSON, and free of what no database keeps."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request

from api import body
from shared.errors import Invalid, MalformedBody, TooLarge, TooSlow

pytestmark = pytest.mark.anyio


class Point(BaseModel):
    x: int
    y: list[int]


def request(chunks: Iterable[bytes], **headers: str) -> tuple[Request, list[bytes]]:
    """A request whose body comes in these chunks, and those that were not read."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        chunk = left.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive), left


async def test_a_body_is_read_whole() -> None:
    incoming, _ = request([b'{"a"', b":1}"])
    assert await body.read(incoming, limit=7, patience=30) == b'{"a":1}'


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    incoming, left = request([b"x"], content_length="8")
    with pytest.raises(TooLarge):
        await body.read(incoming, limit=7, patience=30)
    assert left == [b"x"]


@pytest.mark.parametrize("headers", [{}, {"content_length": "1"}, {"content_length": "-1"}, {"content_length": "many"}])
async def test_a_body_that_hides_its_size_is_cut_off_where_it_is_too_large(headers: dict[str, str]) -> None:
    incoming, left = request([b"xxxx"] * 100, **headers)
    with pytest.raises(TooLarge):
        await body.read(incoming, limit=7, patience=30)
    assert len(left) == 98


@pytest.mark.parametrize(
    "data",
    [b"", b"not json", b"{", b'{"a":NaN}', b'{"a":Infinity}', b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBody):
        body.parse(data)


def test_a_key_given_twice_is_refused_however_it_is_written() -> None:
    for data in (b'{"a":1,"a":1}', b'{"x":{"a":1,"\\u0061":2}}'):
        with pytest.raises(MalformedBody):
            body.parse(data)


async def test_a_body_that_dribbles_is_given_up() -> None:
    gone = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if gone.is_set():
            await asyncio.Event().wait()
        gone.set()
        return {"type": "http.request", "body": b"x", "more_body": True}

    incoming = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(TooSlow) as refused:
        await body.read(incoming, limit=7, patience=0.05)
    assert refused.value.headers == {"Connection": "close"}


async def test_a_large_body_that_keeps_coming_has_more_time() -> None:
    clock = asyncio.get_running_loop().time
    began, mebibyte = clock(), b"x" * 1024 * 1024
    due = [began + 0.3, began + 0.6]

    async def receive() -> dict[str, Any]:
        if len(due) == 1:
            await asyncio.sleep(due[0] - clock())
        due.pop(0)
        return {"type": "http.request", "body": mebibyte, "more_body": bool(due)}

    incoming = Request({"type": "http", "method": "POST", "headers": []}, receive)
    assert len(await body.read(incoming, limit=10**7, patience=0.5)) == 2 * len(mebibyte)
    assert clock() - began > 0.5


def test_a_field_that_is_not_valid_is_named_and_not_quoted() -> None:
    assert body.validate(TypeAdapter(Point), {"x": 1, "y": [2]}) == Point(x=1, y=[2])
    with pytest.raises(Invalid) as refused:
        body.validate(TypeAdapter(Point), {"x": "the secret", "y": ["the secret"]})
    assert refused.value.detail == "Not valid: x, y.0"


def test_a_body_with_ten_thousand_mistakes_is_refused_without_naming_them() -> None:
    with pytest.raises(Invalid) as refused:
        body.validate(TypeAdapter(list[int]), ["x"] * 10_000)
    assert refused.value.detail is None
