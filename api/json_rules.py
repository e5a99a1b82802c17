"""What a JSON body may hold: so much of it, so deep, and nothing that no database keeps."""

import math
from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from shared.errors import Invalid, MalformedBody, NotFound, TooLarge

MAX_DEPTH = 64
MAX_VALUES = 10_000
"""Validating costs microseconds for each value, and no other request is answered meanwhile."""
MAX_INTEGER = 2**63 - 1

MAX_METADATA_DEPTH = 8
MAX_METADATA_BYTES = 16_384

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


def check(body: dict[str, Any]) -> None:
    """Raises MalformedBody for what is too deep or no number, TooLarge, and for a NUL what `refuse_nul` raises."""
    level: list[tuple[str, Any]] = [("", body)]
    values = 1
    for _ in range(MAX_DEPTH):
        values += sum(len(one) for _, one in level)
        if values > MAX_VALUES:
            raise TooLarge(f"A body has at most {MAX_VALUES} values.")
        level = [inner for name, one in level for inner in _nested(name, one)]
        if not level:
            return
    raise MalformedBody(f"The body is nested more than {MAX_DEPTH} deep.")


def _nested(name: str, one: dict[str, Any] | list[Any]) -> Iterator[tuple[str, Any]]:
    """The objects and lists in it, each with the name it goes by; what is neither is checked."""
    for key in one if isinstance(one, dict) else ():
        refuse_nul(key)
    for inner_name, inner in one.items() if isinstance(one, dict) else ((name, inner) for inner in one):
        if isinstance(inner, dict | list):
            yield inner_name, inner
        else:
            _check_plain(inner_name, inner)


def _check_plain(name: str, one: Any) -> None:
    match one:
        case str():
            refuse_nul(one, name=name)
        case bool() | None:
            pass
        case int() if abs(one) > MAX_INTEGER:
            raise MalformedBody("A number is out of range.")
        case float() if not math.isfinite(one):  # 1e400
            raise MalformedBody("A number is out of range.")


def refuse_nul(text: str, *, name: str = "") -> None:
    """No database keeps a NUL: an id with one is nobody's (NotFound), any other text is not valid (Invalid)."""
    if "\x00" in text:
        raise NotFound if name in ID_FIELDS else Invalid("The text contains a NUL, which cannot be stored.")


def metadata(parsed: dict[str, Any]) -> dict[str, Any]:
    """What the request says of itself to the team's own code; empty where it says nothing. Raises Invalid."""
    given = parsed.get("metadata", {})
    if not isinstance(given, dict):
        raise Invalid("Not valid: metadata")
    if len(to_json(given)) > MAX_METADATA_BYTES or _depth(given) > MAX_METADATA_DEPTH:
        raise Invalid(f"Metadata has at most {MAX_METADATA_BYTES} bytes, {MAX_METADATA_DEPTH} deep.")
    return given


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0) if isinstance(value, dict | list) else 0
