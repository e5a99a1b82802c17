"""Putting a run's events into its log, in both dialects, and nothing twice."""

import re

from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    ErrorEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from shared.database import Database
from shared.ending import closing_events
from shared.records import Delta, Event, Record
from shared.wire import json_string, to_wire
from worker.current_run import CurrentRun
from worker.log_writer import LogWriter
from worker.narration import Narration
from worker.recovery import Repeats

_PLAIN = re.compile(r'[^"\\\x00-\x1f\x7f\ud800-\udfff]*').fullmatch
"""An id that stands in JSON as it is: a delta's frame is put together without escaping it."""


class Voice:
    """One attempt's. `repeats` is what earlier attempts have said already."""

    def __init__(self, database: Database, writer: LogWriter, current: CurrentRun) -> None:
        self._database, self._writer, self._current = database, writer, current
        self._narration = Narration()
        self.repeats = Repeats()

    def tell(self, record: Record) -> None:
        """A record that belongs to no item, such as a tool call's frame: said once over all attempts."""
        if not (isinstance(record, Event) and record.simple and self.repeats.has_loose(record.simple[0])):
            self._writer.append(record)

    async def say(self, event: ThreadStreamEvent) -> None:
        """One event of the server's. An error closes what is open first: half an answer never stands as a whole."""
        match event:
            case ThreadItemUpdatedEvent(item_id=item_id, update=AssistantMessageContentPartTextDelta() as update) if (
                _PLAIN(item_id)
            ):
                self._delta(event, update)
            case ErrorEvent():
                if self._current.failure is None:
                    await self.close()
                    self._writer.append(Event(to_wire(event), self._narration.frames(event)))
            case _:
                frames = self._narration.frames(event)
                if not self.repeats.has(event):
                    self._writer.append(Event(to_wire(event), frames))

    def _delta(self, event: ThreadItemUpdatedEvent, update: AssistantMessageContentPartTextDelta) -> None:
        self._narration.told(event.item_id, update.delta)
        if not self.repeats.has(event):
            self._writer.append(Delta(event.item_id, update.content_index, json_string(update.delta)))

    async def close(self) -> None:
        """Close what is open: done if it was stored, removed if it was not."""
        for event in await closing_events(self._database, self._current.run, self._writer.fold):
            self._writer.append(event)
