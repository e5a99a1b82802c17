"""Frames of the simple dialect."""

import json

from hypothesis import given

from shared.records import FIELD_SEPARATOR, RECORD_SEPARATOR
from shared.simple import frame
from tests.texts import anything


@given(anything)
def test_a_frame_is_one_line_of_storable_json(text: str) -> None:
    made = frame(type="text", content=text)
    assert json.loads(made)["type"] == "text"
    assert not set(made) & {*b"\n\r", *FIELD_SEPARATOR, *RECORD_SEPARATOR}
    assert "\x00" not in json.loads(made)["content"]


def test_what_a_tool_was_given_is_told_as_it_is() -> None:
    args = {"title": "Äpfel", "tags": ["a", None, 1.5]}
    assert json.loads(frame(type="tool_call", name="add", args=args))["args"] == args
