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
    Shorthand,
    decode,
    delta_frame,
    encode,
    introduced,
    is_text,
)
from shared.wire import clean_text, json_string
from tests.texts import anything

json_bytes = st.dictionaries(st.text(), st.text()).map(lambda value: json.dumps(value).encode())
records = st.one_of(
    st.builds(Event, json_bytes | st.just(b""), st.lists(json_bytes, max_size=3).map(tuple)),
    st.builds(Delta, st.from_regex(r"[a-z0-9_]{1,40}", fullmatch=True), st.integers(0, 99), anything.map(json_string)),
    st.builds(End, st.sampled_from(["completed", "failed", "cancelled"])),
)


@given(records.filter(lambda record: not isinstance(record, Delta)))
def test_a_record_comes_out_of_its_bytes_as_it_went_in(record: Event | End) -> None:
    assert decode(encode(record)) == record


few_parts = st.builds(
    Delta, st.sampled_from(["msg_1", "msg_2", "wf_3"]), st.integers(0, 2), st.sampled_from([b'"a"', b'""'])
)


@given(st.lists(records | few_parts, max_size=30), st.integers(0, 30))
def test_a_reader_of_all_and_a_reader_from_the_middle_read_the_same(said: list[Record], middle: int) -> None:
    writer = Shorthand()
    written = [writer.encode(record) for record in said]
    assert list(map(Shorthand().decode, written)) == said
    late = Shorthand()
    late.learn(introduced(written))
    assert list(map(late.decode, written[middle:])) == said[middle:]


@given(st.lists(few_parts, max_size=20), st.lists(few_parts, max_size=20))
def test_who_writes_on_where_another_stopped_is_understood_by_the_same_reader(
    before: list[Record], after: list[Record]
) -> None:
    first, second, reader = Shorthand(), Shorthand(), Shorthand()
    written = [first.encode(record) for record in before]
    assert [second.decode(data) for data in written] == before
    written += [second.encode(record) for record in after]
    assert [reader.decode(data) for data in written] == [*before, *after]


def test_a_part_is_introduced_once_and_then_named_by_its_number() -> None:
    shorthand = Shorthand()
    assert shorthand.encode(Delta("msg_1", 0, b'"a"')) == b'D1\x1fmsg_1\x1f0\x1f"a"'
    assert shorthand.encode(Delta("msg_1", 0, b'"b"')) == b'd1\x1f"b"'
    assert shorthand.encode(Delta("msg_1", 1, b'"c"')) == b'D2\x1fmsg_1\x1f1\x1f"c"'


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


def test_a_delta_is_known_by_its_first_letter_whether_it_introduces_its_part_or_not() -> None:
    delta, shorthand = Delta("msg_1", 0, b'"word"'), Shorthand()
    records = (delta, delta, Event(b'{"type":"thread.item.done"}'), End("completed"))
    assert [is_text(shorthand.encode(record)) for record in records] == [True, True, False, False]


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
