"""A reader is told each record once, in its dialect, whatever it is made of."""

from hypothesis import given
from hypothesis import strategies as st

from api.reading import Dialect, Reading
from shared.event_log import Batch
from shared.records import START, Cursor, Delta, Shorthand, delta_frame

DELTAS = st.builds(
    Delta, st.sampled_from(["msg_1", "100%", "%s%d%%"]), st.integers(0, 1), st.sampled_from([b'"a"', b'"50%"', b'"%b"'])
)


def told(dialect: Dialect, said: list[Delta], *, cut: int = 0) -> list[bytes]:
    """The lines a reader gets of these deltas, in two batches."""
    writer, reading = Shorthand(), Reading(dialect, START)
    records = tuple(writer.encode(delta) for delta in said)
    first = reading.chunk(Batch(1, 1, records[:cut])) if cut else b""
    return (first + reading.chunk(Batch(1, 1 + cut, records[cut:]))).splitlines()


@given(st.lists(DELTAS, min_size=1, max_size=12), st.integers(0, 12))
def test_a_delta_is_its_frame_however_it_was_written(said: list[Delta], cut: int) -> None:
    lines = told(Dialect.CHATKIT, said, cut=min(cut, len(said) - 1))
    assert [line for line in lines if line.startswith(b"data: ")] == [b"data: " + delta_frame(delta) for delta in said]
    assert [line for line in lines if line.startswith(b"id: ")] == [b"id: 1.%d" % n for n in range(1, len(said) + 1)]


@given(st.lists(DELTAS, min_size=1, max_size=12))
def test_in_the_simple_dialect_it_is_its_text(said: list[Delta]) -> None:
    lines = [line for line in told(Dialect.SIMPLE, said) if line.startswith(b"data: ")]
    assert lines == [b'data: {"type":"text","content":%b}' % delta.text for delta in said]


def test_who_begins_in_the_middle_is_told_whose_words_they_are() -> None:
    writer = Shorthand()
    writer.encode(Delta("msg_1", 0, b'"one "'))
    batch = Batch(1, 2, (writer.encode(Delta("msg_1", 0, b'"two "')),), introductions=writer.introductions)
    assert delta_frame(Delta("msg_1", 0, b'"two "')) in Reading(Dialect.CHATKIT, Cursor(1, 1)).chunk(batch)


def test_a_number_of_another_life_names_nothing_in_this_one() -> None:
    reading, first, second = Reading(Dialect.CHATKIT, START), Shorthand(), Shorthand()
    reading.chunk(Batch(1, 1, (first.encode(Delta("msg_old", 0, b'"a"')),)))
    chunk = reading.chunk(Batch(2, 1, (second.encode(Delta("msg_new", 0, b'"b"')),)))
    assert b"msg_new" in chunk
    assert b"msg_old" not in chunk
