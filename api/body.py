"""A request's body: bounded, JSON, and free of what no database keeps."""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.requests import Request

from shared.errors import Invalid, MalformedBody, NotFound, TooLarge

T = TypeVar("T")

ID_FIELDS = {
    "thread_id",
    "item_id",
    "item_ids",
    "attachment_id",
    "attachments",
    "after",
    "run_id",
    "conversation_id",
}


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
    """The JSON object in the body. Raises MalformedBody, or for a NUL what `refuse_nul` raises."""
    try:
        parsed = from_json(body, allow_inf_nan=False)
    except (ValueError, RecursionError):
        raise MalformedBody from None
    if not isinstance(parsed, dict):
        raise MalformedBody("The body must be a JSON object.")
    if b"\\u0000" in body:
        refuse_nul(parsed)
    return parsed


def refuse_nul(value: Any, *, name: str = "") -> None:
    """No database keeps a NUL: an id with one is nobody's (NotFound), any other text is not valid (Invalid)."""
    match value:
        case str() if "\x00" in value:
            raise NotFound if name in ID_FIELDS else Invalid("The text contains a NUL, which cannot be stored.")
        case dict():
            for key, inner in value.items():
                refuse_nul(key)
                refuse_nul(inner, name=key)
        case list():
            for inner in value:
                refuse_nul(inner, name=name)


def validate(adapter: TypeAdapter[T], value: Any) -> T:
    """The value as its type. Raises Invalid naming the fields, never quoting them."""
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        fields = sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False)})
        raise Invalid("Not valid: " + ", ".join(fields)[:500]) from None
