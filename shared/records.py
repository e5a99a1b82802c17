"""What the event log keeps: records, and their bytes.

A record is an event (ChatKit's JSON, with frames of the simple dialect beside it where they cannot be
derived), a text delta (the commonest event, kept without its frame), or the end of the log. JSON never holds
a raw control character, so records are joined by ASCII separators and never escaped.
"""

import re
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Delta:
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


def encode(record: Record) -> bytes:
    """The record's bytes in the log."""
    match record:
        case Event(chatkit, simple, again):
            return (b"s" if again else b"e") + FIELD_SEPARATOR.join((chatkit, *simple))
        case Delta(item_id, content_index, text):
            return b"d" + FIELD_SEPARATOR.join((item_id.encode(), b"%d" % content_index, text))
        case End(status):
            return b"x" + status.encode()


def decode(data: bytes) -> Record:
    """The record in these bytes."""
    kind, body = data[:1], data[1:]
    if kind == b"d":
        item_id, content_index, text = body.split(FIELD_SEPARATOR)
        return Delta(item_id.decode(), int(content_index), text)
    if kind == b"x":
        return End(body.decode())
    chatkit, *simple = body.split(FIELD_SEPARATOR)
    return Event(chatkit, tuple(simple), again=kind == b"s")


def delta_frame(delta: Delta) -> bytes:
    """The ChatKit event of a text delta: the SDK's own bytes, without building its models."""
    return (
        b'{"type":"thread.item.updated","item_id":"%s","update":'
        b'{"type":"assistant_message.content_part.text_delta","content_index":%d,"delta":%s}}'
        % (delta.item_id.encode(), delta.content_index, delta.text)
    )
