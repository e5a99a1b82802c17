"""ChatKit objects to bytes: the same bytes as the SDK's own server sends, and always storable.

Postgres keeps neither NUL nor lone surrogates in text or jsonb, and models and tools produce both;
they become U+FFFD here, once, on the way out.
"""

import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def clean_text(text: str) -> str:
    """The text with what no database keeps replaced by U+FFFD."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def clean(value: Any) -> Any:
    """A JSON value with every string in it cleaned, keys included."""
    match value:
        case str():
            return clean_text(value)
        case dict():
            return {clean_text(str(key)): clean(inner) for key, inner in value.items()}
        case list() | tuple():
            return [clean(inner) for inner in value]
        case _:
            return value


def to_wire(model: BaseModel) -> bytes:
    """One ChatKit object as a client is sent it (ChatKitServer._serialize, openai-chatkit 1.6.5)."""
    return _dump(model, exclude_metadata=True)


def to_stored(model: BaseModel) -> bytes:
    """The same with the attachments' integration-only metadata kept: what the database holds."""
    return _dump(model, exclude_metadata=False)


def json_string(text: str) -> bytes:
    """The text as a JSON string literal, escaped exactly as in `to_wire`."""
    try:
        encoded = to_json(text)
    except PydanticSerializationError:
        return to_json(clean_text(text))
    return to_json(clean_text(text)) if b"\\u0000" in encoded else encoded


def _dump(model: BaseModel, *, exclude_metadata: bool) -> bytes:
    context = {"exclude_metadata": exclude_metadata}
    try:
        data = model.model_dump_json(by_alias=True, exclude_none=True, context=context).encode()
    except (PydanticSerializationError, UnicodeEncodeError):
        return _dump_cleaned(model, context)
    return _dump_cleaned(model, context) if b"\\u0000" in data else data


def _dump_cleaned(model: BaseModel, context: dict[str, bool]) -> bytes:
    plain = model.model_dump(mode="python", by_alias=True, exclude_none=True, context=context)
    return to_json(clean(json.loads(to_json(clean(plain)))))
