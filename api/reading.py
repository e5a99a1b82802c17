"""One reader's view of a run: records into the frames of its dialect, and what it still shows as open.

A log that was lost begins a new generation with a snapshot. What this reader showed as open then goes, and the
snapshot brings back what still stands; what it was told as done is not told again where the dialect has no
items to recognise it by.
"""

import json
from enum import StrEnum

from shared.event_log import Batch
from shared.fold import Item, item_event, removed_event, told_text
from shared.records import FIELD_SEPARATOR, Cursor, Delta, Event, Shorthand, delta_frame
from shared.simple import frame

_ADDED, _DONE, _REMOVED = (f'{{"type":"thread.item.{kind}"'.encode() for kind in ("added", "done", "removed"))

_ERROR = b'{"type":"error"'


class Dialect(StrEnum):
    """How events are framed for a client."""

    CHATKIT = "chatkit"
    SIMPLE = "simple"


class Reading:
    """Give it every batch in order."""

    def __init__(self, dialect: Dialect, after: Cursor) -> None:
        self.dialect, self._generation = dialect, after.generation
        self._fresh = after.generation == 0
        self._open: set[str] = set()
        self._failed = False
        self._shorthand = Shorthand()
        self._templates: dict[bytes, bytes] = {}
        """The SSE frame of a delta by how its record begins: its sequence and its text are left to fill in."""

    def chunk(self, batch: Batch) -> bytes:
        """The batch as SSE; of a record's frames only the last carries its id, so none is half-acknowledged."""
        parts = self._new_life(batch)
        self._shorthand.learn(batch.introductions)
        for sequence, data in enumerate(batch.records, batch.first):
            name, _, text = data.partition(FIELD_SEPARATOR)
            if template := self._templates.get(name):
                # Nearly all records: the next words of a message that has been introduced.
                parts.append(template % (sequence, text))
                continue
            match record := self._shorthand.decode(data):
                case Delta():
                    template = self._templates[b"d" + name[1:]] = self._template(record)
                    parts.append(template % (sequence, record.text))
                case Event():
                    parts += self._event(batch.generation, sequence, record)
                    self._note(record.chatkit)
        return b"".join(parts)

    def learn(self, batch: Batch) -> None:
        """What a batch says of records to come, also one that has none: who begins at the tip of the log needs it."""
        self._shorthand.learn(batch.introductions)

    def stored(self, items: list[Item], error: Event | None = None) -> bytes:
        """An ended run's stored items, told as done, and the end of whatever else is open: the log is gone.

        A run that failed says so by `error`, unless this reader has been told of one.
        """
        parts = self._taken_back(self._open - {str(item["id"]) for item in items})
        for item in items:
            told = not self._fresh and item["id"] not in self._open
            text = () if told else told_text(item, again=item["id"] in self._open)
            parts += self._frames(Event(item_event("thread.item.done", item).chatkit, text))
        if error is not None and not self._failed:
            parts += self._frames(error)
        return b"".join(b"data: %s\n\n" % part for part in parts)

    def _new_life(self, batch: Batch) -> list[bytes]:
        """What this reader shows as open is of a life that is over."""
        if batch.generation == self._generation:
            return []
        self._fresh = self._fresh and self._generation == 0
        self._generation, self._shorthand, self._templates = batch.generation, Shorthand(), {}
        parts, self._open = self._taken_back(self._open), set()
        return [b"data: %s\n\n" % part for part in parts]

    def _taken_back(self, item_ids: set[str]) -> list[bytes]:
        if self.dialect is Dialect.CHATKIT:
            return [removed_event(item_id).chatkit for item_id in item_ids]
        return [frame(type="retract")] if item_ids else []

    def _event(self, generation: int, sequence: int, event: Event) -> list[bytes]:
        frames = self._frames(event)
        parts = [b"data: %b\n\n" % frame for frame in frames[:-1]]
        return [*parts, b"id: %d.%d\ndata: %b\n\n" % (generation, sequence, frames[-1])] if frames else []

    def _frames(self, event: Event) -> list[bytes]:
        if self.dialect is Dialect.CHATKIT:
            return [event.chatkit] if event.chatkit else []
        return list(event.simple) if self._fresh or not event.again else []

    def _template(self, delta: Delta) -> bytes:
        if self.dialect is Dialect.CHATKIT:
            head, tail = delta_frame(delta._replace(text=b"\0")).replace(b"%", b"%%").split(b"\0")
        else:
            head, tail = b'{"type":"text","content":', b"}"
        return b"id: %d.%%d\ndata: %b%%b%b\n\n" % (self._generation, head, tail)

    def _note(self, event: bytes) -> None:
        """Keep what is open up to date. Only these kinds are looked at: the rest is passed on unread."""
        if event.startswith(_ADDED):
            self._open.add(json.loads(event)["item"]["id"])
        elif event.startswith(_DONE):
            self._open.discard(json.loads(event)["item"]["id"])
        elif event.startswith(_ERROR):
            self._failed = True
        elif event.startswith(_REMOVED):
            self._open.discard(json.loads(event)["item_id"])
