"""What the event log keeps: records, and their bytes.

A record is an event (ChatKit's JSON, with frames of the simple dialect beside it where they cannot be
derived), a text delta (the commonest event, kept without its frame), or the end of the log. JSON never holds
a raw control character, so records are joined by ASCII separators and never escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.errors import BadCursor

RECORD_SEPARATOR = b"\x1e"
FIELD_SEPARATOR = b"\x1f"

_CURSOR = re.compile(r"([1-9]\d{0,8})\.(\d{1,12})")


@dataclass(frozen=True, slots=True)
class Event:
    """`chatkit` is one protocol event, empty where there is none; `simple` the frames of the simple dialect.

    `again` says that the event is part of a snapshot: who has read an earlier generation has been told it.
    """

    chatkit: bytes = b""
    simple: tuple[bytes, ...] = ()
    again: bool = False


class Delta(NamedTuple):
    """Text appended to one part of an assistant message; `text` is a JSON string literal."""

    item_id: str
    content_index: int
    text: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Nothing follows: the run has the status `status`."""

    status: str


Record = Event | Delta | End


@dataclass(frozen=True, slots=True)
class Cursor:
    """A reader's place: everything up to `sequence` of `generation` has been seen."""

    generation: int = 0
    sequence: int = 0

    def __str__(self) -> str:
        return f"{self.generation}.{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor in an SSE id. Raises BadCursor."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise BadCursor
        return cls(int(match[1]), int(match[2]))


START = Cursor()
"""Before the first event of any generation."""


def encode(record: Event | End) -> bytes:
    """The record's bytes in the log; a delta's depend on what was said before it: see `Shorthand`."""
    match record:
        case Event(chatkit, simple, again):
            return (b"s" if again else b"e") + FIELD_SEPARATOR.join((chatkit, *simple))
        case End(status):
            return b"x" + status.encode()


def decode(data: bytes) -> Event | End:
    """The record in these bytes, which are not a delta's."""
    kind, body = data[:1], data[1:]
    if kind == b"x":
        return End(body.decode())
    chatkit, *simple = body.split(FIELD_SEPARATOR)
    return Event(chatkit, tuple(simple), again=kind == b"s")


class Shorthand:
    """How deltas are written in one generation of a log: a message's part is introduced once, then named by a number.

    Whoever reads from the middle is given the introductions (`learn`); they stand in the log's head.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], bytes] = {}
        self._parts: dict[bytes, tuple[str, int]] = {}

    def encode(self, record: Record) -> bytes:
        """The record's bytes, to stand after all that this has encoded or read before."""
        if not isinstance(record, Delta):
            return encode(record)
        if number := self._numbers.get(record[:2]):
            return b"d%b\x1f%b" % (number, record.text)
        number = b"%d" % (len(self._parts) + 1)
        self._learn(number, (record.item_id, record.content_index))
        return b"D" + FIELD_SEPARATOR.join((number, self.introductions[number], record.text))

    def decode(self, data: bytes) -> Record:
        """The record in these bytes."""
        if data[:1] == b"d":
            number, _, text = data[1:].partition(FIELD_SEPARATOR)
            return Delta(*self._parts[number], text)
        if data[:1] == b"D":
            number, item_id, index, text = data[1:].split(FIELD_SEPARATOR)
            self._learn(number, (item_id.decode(), int(index)))
            return Delta(item_id.decode(), int(index), text)
        return decode(data)

    def learn(self, introductions: Mapping[bytes, bytes]) -> None:
        """Take what the log's head says of its deltas' numbers."""
        for number, part in introductions.items():
            item_id, index = part.split(FIELD_SEPARATOR)
            self._learn(number, (item_id.decode(), int(index)))

    @property
    def introductions(self) -> dict[bytes, bytes]:
        """What a reader must be given to read on from here."""
        return {
            number: item_id.encode() + FIELD_SEPARATOR + b"%d" % index
            for number, (item_id, index) in self._parts.items()
        }

    def _learn(self, number: bytes, part: tuple[str, int]) -> None:
        self._numbers[part], self._parts[number] = number, part


def introduced(records: Sequence[bytes]) -> dict[bytes, bytes]:
    """The introductions that these records' deltas bring."""
    first = (record[1:].split(FIELD_SEPARATOR) for record in records if record[:1] == b"D")
    return {number: item_id + FIELD_SEPARATOR + index for number, item_id, index, _ in first}


def flat(introductions: Mapping[bytes, bytes]) -> list[bytes]:
    """Number, introduction, number, introduction …, as the log's scripts take them."""
    return [part for pair in introductions.items() for part in pair]


def is_text(data: bytes) -> bool:
    """Whether these bytes are a text delta."""
    return data[:1] in (b"d", b"D")


def delta_frame(delta: Delta) -> bytes:
    """The ChatKit event of a text delta: the SDK's own bytes, without building its models."""
    return (
        b'{"type":"thread.item.updated","item_id":"%s","update":'
        b'{"type":"assistant_message.content_part.text_delta","content_index":%d,"delta":%s}}'
        % (delta.item_id.encode(), delta.content_index, delta.text)
    )
