"""How a later attempt begins: what cannot stand is taken back, and what can is not said again."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chatkit.types import (
    AssistantMessageItem,
    NoticeEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    WidgetRootUpdated,
    Workflow,
    WorkflowItem,
)
from chatkit.types import DurationSummary as Duration
from chatkit.widgets import Card

from shared.database import Database
from shared.event_log import EventLog
from shared.fold import Fold, item_event
from shared.records import Event, Record
from shared.runs import Runs
from shared.tables import Run
from shared.wire import to_wire
from tests.rows import DAY, answer, claimed, save, stored, superseded
from worker.current_run import CurrentRun
from worker.flusher import Flusher
from worker.journal import Journal
from worker.log_writer import LogWriter
from worker.metrics import WorkerMeter
from worker.recovery import Repeats, forget_leftovers, recover, timeless

pytestmark = pytest.mark.anyio


class Second:
    """The second attempt at a run, where the first one has shown `records` and stored what it stored."""

    def __init__(self, database: Database, flusher: Flusher) -> None:
        self.database, self.flusher = database, flusher

    async def begins(self, first: Run, *records: Record, journaled: bool) -> tuple[Repeats, list[dict[str, Any]]]:
        """What it will not say again, and the events that it begins with."""
        if journaled:
            await Journal(self.database, current_of(first)).record_step("1", 0, "f", {})
        run = await superseded(self.database, first)
        self.current = current_of(run)
        self.current.journal = journal = Journal(self.database, self.current)
        await journal.load()
        self.writer = LogWriter(self.flusher, run, nothing)
        for record in records:
            self.writer.fold.apply(record)
        before = len(self.writer._kept)
        repeats = await recover(self.database, self.current, self.writer)
        said = [record.chatkit for record in list(self.writer._kept)[before:] if isinstance(record, Event)]
        return repeats, [json.loads(data) for data in said]


async def nothing() -> list[Record]:
    return []


def current_of(run: Run) -> CurrentRun:
    return CurrentRun(run, say=lambda _: None)


def done(item: Any) -> Event:
    return Event(to_wire(ThreadItemDoneEvent(item=item)))


def added(item: Any) -> Event:
    return Event(to_wire(ThreadItemAddedEvent(item=item)))


def removed(events: list[dict[str, Any]]) -> list[str]:
    assert all(event["type"] == "thread.item.removed" for event in events)
    return [event["item_id"] for event in events]


@pytest.fixture
async def second(database: Database, event_log: EventLog, runs: Runs) -> AsyncIterator[Second]:
    async with Flusher(event_log, runs, tail=60, meter=WorkerMeter()) as flusher:
        yield Second(database, flusher)


async def test_with_a_journal_only_what_was_half_shown_is_taken_back(second: Second, database: Database) -> None:
    run = await claimed(database)
    whole, half = answer("whole", run, item_id="msg_whole"), answer("half", run, item_id="msg_half")
    await save(database, run, whole)
    repeats, events = await second.begins(run, done(whole), added(half), journaled=True)
    assert removed(events) == ["msg_half"]
    assert second.current.retracted == {"msg_half"}
    assert repeats.has(ThreadItemDoneEvent(item=whole))
    assert [row["id"] for row in await stored(database, run)][1:] == ["msg_whole"]


async def test_without_a_journal_everything_that_was_shown_or_stored_is_taken_back(
    second: Second, database: Database
) -> None:
    run = await claimed(database)
    whole, hidden = answer("whole", run, item_id="msg_whole"), answer("stored, not shown", run, item_id="msg_quiet")
    await save(database, run, whole)
    await save(database, run, hidden)
    repeats, events = await second.begins(run, done(whole), journaled=False)
    assert sorted(removed(events)) == ["msg_quiet", "msg_whole"]
    assert not repeats.has(ThreadItemDoneEvent(item=whole))
    assert [row["type"] for row in await stored(database, run)] == ["user_message"]


@pytest.mark.parametrize("journaled", [True, False])
async def test_what_the_admission_and_earlier_runs_have_shown_stands(
    second: Second, database: Database, journaled: bool
) -> None:
    earlier = await claimed(database)
    old = answer("old", earlier, item_id="msg_old")
    await save(database, earlier, old)
    await Runs(database).finish(earlier, "completed")  # type: ignore[arg-type]
    run = await claimed(database, conversation_id=earlier.conversation_id)
    [*_, question] = await stored(database, run)
    shown = item_event("thread.item.done", question["item"])
    _, events = await second.begins(run, shown, done(old), journaled=journaled)
    assert events == []
    assert second.current.settled == {}


async def test_leftovers_that_were_not_said_again_are_taken_back_at_the_end(second: Second, database: Database) -> None:
    run = await claimed(database)
    kept, left = answer("kept", run, item_id="msg_kept"), answer("left", run, item_id="msg_left")
    await save(database, run, kept)
    await save(database, run, left)
    await second.begins(run, done(kept), done(left), journaled=True)
    await save(database, second.current.run, kept)
    await forget_leftovers(database, second.current, second.writer)
    assert second.writer.fold.ids() == ["msg_kept"]
    assert [row["id"] for row in await stored(database, run)][1:] == ["msg_kept"]


def repeats_of(*items: AssistantMessageItem | WorkflowItem) -> Repeats:
    fold = Fold()
    for item in items:
        fold.apply(done(item))
    return Repeats({item_id: fold.item(item_id) for item_id in fold.ids()}, Counter())


def item(text: str, **changes: Any) -> AssistantMessageItem:
    made = answer(text, Run(id="run_1", user_id="ann", kind="respond", conversation_id="thr_1"), item_id="msg_1")
    return made.model_copy(update=changes)


def test_an_item_is_recognised_whole_whatever_its_time_and_said_once_only() -> None:
    repeats, again = repeats_of(item("text")), item("text", created_at=DAY.replace(year=2027))
    update = ThreadItemUpdatedEvent(item_id="msg_1", update=WidgetRootUpdated(widget=Card(children=[])))
    assert [repeats.has(event) for event in (ThreadItemAddedEvent(item=again), update)] == [True, True]
    assert [repeats.has(ThreadItemDoneEvent(item=again)) for _ in range(2)] == [True, False]
    assert not repeats.has(update)


def test_an_item_that_reads_differently_is_said() -> None:
    assert not repeats_of(item("text")).has(ThreadItemDoneEvent(item=item("another text")))


def test_a_workflow_is_the_same_whatever_it_took() -> None:
    one, other = (
        WorkflowItem(
            id="wf",
            thread_id="t",
            created_at=DAY,
            workflow=Workflow(type="custom", tasks=[], summary=Duration(duration=seconds)),
        )
        for seconds in (1, 9)
    )
    assert repeats_of(one).has(ThreadItemDoneEvent(item=other))
    assert timeless(json.loads(to_wire(one))) == timeless(json.loads(to_wire(other)))


def test_a_replacement_and_a_removal_are_always_said() -> None:
    for event in (ThreadItemReplacedEvent(item=item("new")), ThreadItemRemovedEvent(item_id="msg_1")):
        repeats = repeats_of(item("text"))
        assert not repeats.has(event)
        assert not repeats.has(ThreadItemDoneEvent(item=item("text")))


def test_what_belongs_to_no_item_is_recognised_as_often_as_it_was_said() -> None:
    notice = NoticeEvent(level="info", message="x")
    repeats = Repeats({}, Counter({to_wire(notice): 2}))
    assert [repeats.has(notice) for _ in range(3)] == [True, True, False]


def test_a_first_attempt_repeats_nothing() -> None:
    assert not Repeats().has(ThreadItemDoneEvent(item=item("text")))
    assert not Repeats().has_loose(b"{}")
