"""Records and cursors come out of their bytes as they went in."""

import json

import pytest
from chatkit.server import ChatKitServer
from chatkit.types import AssistantMessageContentPartTextDelta, ThreadItemUpdatedEvent
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadCursor
from shared.records import (
    FIELD_SEPARATOR,
    RECORD_SEPARATOR,
    START,
    Cursor,
    Delta,
    End,
    Event,
    Record,
    decode,
    delta_frame,
    encode,
)
from shared.wire import clean_text, json_string
from tests.texts import anything

json_bytes = st.dictionaries(st.text(), st.text()).map(lambda value: json.dumps(value).encode())
records = st.one_of(
    st.builds(Event, json_bytes | st.just(b""), st.lists(json_bytes, max_size=3).map(tuple)),
    st.builds(Delta, st.from_regex(r"[a-z0-9_]{1,40}", fullmatch=True), st.integers(0, 99), anything.map(json_string)),
    st.builds(End, st.sampled_from(["completed", "failed", "cancelled"])),
)


@given(records)
def test_a_record_comes_out_of_its_bytes_as_it_went_in(record: Record) -> None:
    assert decode(encode(record)) == record


@given(anything)
def test_no_text_can_part_a_record(text: str) -> None:
    literal = json_string(text)
    assert RECORD_SEPARATOR not in literal
    assert FIELD_SEPARATOR not in literal
    assert json.loads(literal) == clean_text(text)


@given(anything, st.integers(0, 5))
def test_a_delta_is_the_sdks_own_bytes(text: str, index: int) -> None:
    update = AssistantMessageContentPartTextDelta(content_index=index, delta=clean_text(text))
    event = ThreadItemUpdatedEvent(item_id="msg_1", update=update)
    assert delta_frame(Delta("msg_1", index, json_string(text))) == ChatKitServer._serialize(None, event)  # type: ignore[arg-type]


@given(st.integers(1, 999_999_999), st.integers(0, 999_999_999_999))
def test_a_cursor_is_read_as_it_was_written(generation: int, sequence: int) -> None:
    assert Cursor.parse(str(Cursor(generation, sequence))) == Cursor(generation, sequence)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.", ".1", "0.1", "-1.2", "1.-2", "1.2.3", "01.2", " 1.2", "1.2\n", "١.٢", "1" * 10 + ".1", "a.b"],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


def test_the_start_stands_before_every_generation() -> None:
    assert START.generation < 1
    assert START.sequence == 0
