"""A request's body: bounded, JSON, and free of what no database keeps."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from shared.errors import Invalid, MalformedBody, TooLarge

T = TypeVar("T")


async def read(request: Request, *, limit: int) -> bytes:
    """The body's bytes. Raises TooLarge as soon as it is known, without reading on."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in the body. Raises MalformedBody, or Invalid for text that cannot be stored."""
    try:
        parsed = from_json(body, allow_inf_nan=False)
    except (ValueError, RecursionError):
        raise MalformedBody from None
    if not isinstance(parsed, dict):
        raise MalformedBody("The body must be a JSON object.")
    if b"\\u0000" in body and _has_nul(parsed):
        raise Invalid("The text contains a NUL character, which cannot be stored.")
    return parsed


def validate(adapter: TypeAdapter[T], value: Any) -> T:
    """The value as its type. Raises Invalid naming the fields, never quoting them."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        fields = sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False)})
        raise Invalid("Not valid: " + ", ".join(fields)[:500]) from None


def _has_nul(value: Any) -> bool:
    match value:
        case str():
            return "\x00" in value
        case dict():
            return any(_has_nul(part) for pair in value.items() for part in pair)
        case list():
            return any(_has_nul(part) for part in value)
        case _:
            return False
