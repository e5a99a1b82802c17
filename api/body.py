"""A request's body: bounded in size and in time, JSON, and nothing that cannot be kept (api/json_rules.py)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import jiter
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from api import json_rules
from shared.errors import Invalid, MalformedBody, TooLarge, TooSlow

T = TypeVar("T")

SLOWEST_BYTES_PER_SECOND = 64 * 1024
"""What has come buys time for the rest at this rate, so that a large file over a poor line is not a slow one."""
NAMED_FIELDS = 100


async def arriving(request: Request, *, patience: float) -> AsyncIterator[bytes]:
    """The body's chunks. Raises TooSlow when it takes more seconds than `patience` and what it bought by its size."""
    body = aiter(request.stream())
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise TooSlow from None
        deadline += len(chunk) / SLOWEST_BYTES_PER_SECOND
        yield chunk


async def read(request: Request, *, limit: int, patience: float) -> bytes:
    """The body's bytes. Raises TooLarge as soon as it is known, without reading on, and TooSlow."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > limit:
        raise TooLarge
    body = bytearray()
    async for chunk in arriving(request, patience=patience):
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Raises MalformedBody, and what `json_rules.check` raises."""
    try:
        parsed = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError:
        raise MalformedBody("The body must be JSON in UTF-8, with no key given twice.") from None
    if not isinstance(parsed, dict):
        raise MalformedBody("The body must be a JSON object.")
    json_rules.check(parsed)
    return parsed


def validate(adapter: TypeAdapter[T], value: Any) -> T:
    """The value as its type. Raises Invalid naming the fields, never quoting them."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        if error.error_count() > NAMED_FIELDS:
            # Making a list of a body's ten thousand mistakes would take its process a tenth of a second.
            raise Invalid from None
        fields = sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False)})
        raise Invalid("Not valid: " + ", ".join(fields)[:500]) from None
