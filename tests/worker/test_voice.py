"""What an attempt says: in both dialects, each thing once, and nothing left open by an error."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContentPartTextDelta,
    ErrorEvent,
    NoticeEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
)

from shared.database import Database
from shared.errors import StaleAttempt
from shared.event_log import EventLog
from shared.fold import Fold
from shared.records import Delta, Event, Record, delta_frame
from shared.runs import Runs
from tests.rows import answer, claimed, save
from worker.current_run import CurrentRun
from worker.flusher import Flusher
from worker.log_writer import LogWriter
from worker.metrics import WorkerMeter
from worker.recovery import Repeats
from worker.voice import Voice

pytestmark = pytest.mark.anyio


class Speaker:
    """A voice, and everything it has said."""

    def __init__(self, database: Database, writer: LogWriter) -> None:
        self.writer, self.run = writer, writer.run
        self.said: list[Record] = []
        self.current = CurrentRun(writer.run, say=self.said.append)
        self.voice = Voice(database, self.writer, self.current)
        append = writer.append

        def heard(record: Record) -> None:
            self.said.append(record)
            append(record)

        writer.append = heard  # type: ignore[method-assign]

    async def say(self, *events: ThreadStreamEvent) -> list[Record]:
        for event in events:
            await self.voice.say(event)
        return self.said

    @property
    def chatkit(self) -> list[dict[str, Any]]:
        frames = [delta_frame(one) if isinstance(one, Delta) else one.chatkit for one in self.said]  # type: ignore[union-attr]
        return [json.loads(frame) for frame in frames if frame]

    def begun(self, item_id: str = "msg_1") -> ThreadStreamEvent:
        item = answer("", self.run, item_id=item_id)
        return ThreadItemAddedEvent(item=item.model_copy(update={"content": []}))


@pytest.fixture
async def speaker(database: Database, event_log: EventLog, runs: Runs) -> AsyncIterator[Speaker]:
    async with Flusher(event_log, runs, tail=60, meter=WorkerMeter()) as flusher:

        async def nothing() -> list[Record]:
            return []

        yield Speaker(database, LogWriter(flusher, await claimed(database), nothing))


def delta(text: str, item_id: str = "msg_1", index: int = 0) -> ThreadStreamEvent:
    update = AssistantMessageContentPartTextDelta(content_index=index, delta=text)
    return ThreadItemUpdatedEvent(item_id=item_id, update=update)


async def test_each_event_is_said_in_the_sdks_own_bytes(speaker: Speaker) -> None:
    item = answer("one two", speaker.run, item_id="msg_1")
    events = [speaker.begun(), delta("one"), delta(" two"), ThreadItemDoneEvent(item=item)]
    await speaker.say(*events)
    sdk = [json.loads(ChatKitServer._serialize(None, event)) for event in events]  # type: ignore[arg-type]
    assert speaker.chatkit == sdk
    assert speaker.said[1] == Delta("msg_1", 0, b'"one"')


@pytest.mark.parametrize("item_id", ['a"quote', "back\\slash", "a\x1fseparator", "a\nline", "ünïcode", ""])
async def test_a_delta_of_an_item_with_any_id_is_the_event_that_it_is(speaker: Speaker, item_id: str) -> None:
    event = delta("text", item_id=item_id)
    [record] = await speaker.say(event)
    frame = delta_frame(record) if isinstance(record, Delta) else record.chatkit  # type: ignore[union-attr]
    assert json.loads(frame) == json.loads(ChatKitServer._serialize(None, event))  # type: ignore[arg-type]
    assert b'{"type":"text","content":"text"}' in (record.simple if isinstance(record, Event) else [frame_of(record)])


def frame_of(record: Record) -> bytes:
    """A delta's frame in the simple dialect, as the relay makes it."""
    assert isinstance(record, Delta)
    return b'{"type":"text","content":%s}' % record.text


async def test_an_error_takes_back_what_was_begun_and_not_stored_first(speaker: Speaker) -> None:
    await speaker.say(speaker.begun(), delta("half"), ErrorEvent())
    assert [event["type"] for event in speaker.chatkit][-2:] == ["thread.item.removed", "error"]
    [retracted, _] = speaker.said[-2:]
    assert isinstance(retracted, Event)
    assert retracted.simple == (b'{"type":"retract"}',)


async def test_an_error_of_our_own_infrastructure_is_not_said(speaker: Speaker) -> None:
    speaker.current.failure = StaleAttempt()
    assert await speaker.say(speaker.begun(), ErrorEvent()) == speaker.said[:1]


async def test_closing_keeps_what_was_stored(speaker: Speaker, database: Database) -> None:
    await speaker.say(speaker.begun("msg_kept"), speaker.begun("msg_lost"))
    await save(database, speaker.run, answer("kept", speaker.run, item_id="msg_kept"))
    await speaker.voice.close()
    fold = Fold()
    for record in speaker.said:
        fold.apply(record)
    assert (fold.ids(), fold.open_ids()) == (["msg_kept"], [])


async def test_what_an_earlier_attempt_has_said_is_not_said_again(speaker: Speaker) -> None:
    notice = NoticeEvent(level="info", message="once")
    await speaker.say(notice)
    before = Fold()
    before.apply(speaker.said[0])
    speaker.voice.repeats = Repeats({}, before.loose)
    await speaker.say(notice)
    assert len(speaker.said) == 1
    await speaker.say(notice)
    assert len(speaker.said) == 2


async def test_a_tools_frame_is_told_once_over_all_attempts(speaker: Speaker) -> None:
    call = Event(simple=(b'{"type":"tool_call"}',))
    speaker.voice.tell(call)
    before = Fold()
    before.apply(call)
    speaker.voice.repeats = Repeats({}, before.loose)
    speaker.voice.tell(call)
    assert speaker.said == [call]
