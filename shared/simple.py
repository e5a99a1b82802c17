"""Frames of the simple dialect (design.md §6), as both sides write them."""

from typing import Any

from pydantic_core import to_json

from shared.wire import clean

STREAM_ERROR_MESSAGE = "Something went wrong while answering. Please try again."


def frame(**fields: Any) -> bytes:
    """One frame: a JSON object with a `type`."""
    return to_json(clean(fields))
