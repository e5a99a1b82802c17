"""A request's body: bounded, JSON, and free of what no database keeps."""

from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request

from api import body
from shared.errors import Invalid, MalformedBody, NotFound, TooLarge

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
    assert await body.read(incoming, limit=7) == b'{"a":1}'


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all() -> None:
    incoming, left = request([b"x"], content_length="8")
    with pytest.raises(TooLarge):
        await body.read(incoming, limit=7)
    assert left == [b"x"]


@pytest.mark.parametrize("headers", [{}, {"content_length": "1"}, {"content_length": "-1"}, {"content_length": "many"}])
async def test_a_body_that_hides_its_size_is_cut_off_where_it_is_too_large(headers: dict[str, str]) -> None:
    incoming, left = request([b"xxxx"] * 100, **headers)
    with pytest.raises(TooLarge):
        await body.read(incoming, limit=7)
    assert len(left) == 98


@pytest.mark.parametrize(
    "data",
    [b"", b"not json", b"{", b'{"a":NaN}', b'{"a":Infinity}', b"[]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000],
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedBody):
        body.parse(data)


def test_text_with_a_nul_is_not_valid_and_an_id_with_one_is_nobodys() -> None:
    for data in (b'{"a":"\\u0000"}', b'{"a":[{"b":"x\\u0000"}]}', b'{"\\u0000":1}'):
        with pytest.raises(Invalid):
            body.parse(data)
    for data in (b'{"params":{"thread_id":"\\u0000"}}', b'{"params":{"item_ids":["a","\\u0000"]}}'):
        with pytest.raises(NotFound):
            body.parse(data)


def test_an_escaped_backslash_is_no_nul() -> None:
    assert body.parse(b'{"a":"\\\\u0000"}') == {"a": "\\u0000"}


def test_a_field_that_is_not_valid_is_named_and_not_quoted() -> None:
    assert body.validate(TypeAdapter(Point), {"x": 1, "y": [2]}) == Point(x=1, y=[2])
    with pytest.raises(Invalid) as refused:
        body.validate(TypeAdapter(Point), {"x": "the secret", "y": ["the secret"]})
    assert refused.value.detail == "Not valid: x, y.0"
