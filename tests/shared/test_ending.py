"""How a run's stream ends, whoever ends it: nothing stays open, nothing unstored stays shown."""

import json
import time

import pytest

from shared.bounds import Bound
from shared.database import Database
from shared.ending import ERROR_EVENT, closing_events, end_log, error_event, retraction
from shared.errors import StaleAttempt
from shared.event_log import EventLog
from shared.fold import Fold, item_event
from shared.records import Delta, End, Record
from shared.runs import Runs, RunStatus
from shared.tables import Run
from tests.rows import answer, claimed, save

pytestmark = pytest.mark.anyio


def begun_item(item_id: str, text: str = "") -> Record:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return item_event("thread.item.added", {"id": item_id, "type": "assistant_message", "content": content})


async def logged(event_log: EventLog, run: Run, *records: Record) -> None:
    """The run's log, open, with these records."""
    expires_at = time.time() + 60
    await event_log.begin(run.id, attempt=1, generation=1, expires_at=expires_at, records=records)


async def folded(event_log: EventLog, run: Run) -> Fold:
    fold = Fold()
    async for record in event_log.records(run.id):
        fold.apply(record)
    return fold


async def test_an_open_item_is_done_if_it_was_stored_and_removed_if_not(
    database: Database, event_log: EventLog
) -> None:
    run = await claimed(database)
    await logged(event_log, run, begun_item("msg_stored"), begun_item("msg_lost"), Delta("msg_lost", 0, b'"half"'))
    await save(database, run, answer("the whole", run, item_id="msg_stored"))
    run.status = RunStatus.FAILED
    await end_log(event_log, database, run)
    fold = await folded(event_log, run)
    assert fold.open_ids() == []
    assert [item["content"][0]["text"] for item in fold.items()] == ["the whole"]
    assert (fold.status, fold.error) == ("failed", True)


async def test_a_cancelled_run_ends_without_an_error(database: Database, event_log: EventLog) -> None:
    run = await claimed(database)
    await logged(event_log, run, begun_item("msg_1"))
    run.status = RunStatus.CANCELLED
    await end_log(event_log, database, run)
    fold = await folded(event_log, run)
    assert (fold.items(), fold.status, fold.error) == ([], "cancelled", False)


async def test_nobody_writes_a_log_that_was_ended_and_it_is_ended_once(
    database: Database, event_log: EventLog, runs: Runs
) -> None:
    run = await claimed(database)
    await logged(event_log, run, begun_item("msg_1"))
    run.status = RunStatus.FAILED
    assert [await end_log(event_log, database, run) for _ in range(2)] == [True, False]
    with pytest.raises(StaleAttempt):
        await event_log.open(run.id, 2)
    ends = [record async for record in event_log.records(run.id) if isinstance(record, End)]
    assert ends == [End("failed")]


async def test_a_run_without_a_log_is_ended_without_one(database: Database, event_log: EventLog) -> None:
    run = await claimed(database)
    run.status = RunStatus.FAILED
    assert not await end_log(event_log, database, run)
    assert not (await event_log.read(run.id)).found


async def test_where_nothing_is_open_nothing_is_said(database: Database) -> None:
    assert await closing_events(database, await claimed(database), Fold()) == []


def test_the_simple_dialect_takes_back_only_what_it_was_told() -> None:
    fold = Fold()
    fold.apply(begun_item("msg_told", "half"))
    fold.apply(begun_item("msg_untold"))
    assert retraction(fold, "msg_told").simple == (b'{"type":"retract"}',)
    assert retraction(fold, "msg_untold").simple == ()
    assert retraction(fold, "msg_never_shown").simple == ()
    assert retraction(fold, "msg_told").chatkit == b'{"type":"thread.item.removed","item_id":"msg_told"}'


def test_the_error_that_everyone_sees_may_be_retried() -> None:
    assert ERROR_EVENT.chatkit == b'{"type":"error","code":"stream.error","allow_retry":true}'
    assert b'"type":"error"' in ERROR_EVENT.simple[0]


def test_a_run_that_a_bound_has_ended_says_which() -> None:
    said = error_event("deadline")
    assert json.loads(said.chatkit) == {
        "type": "error",
        "code": "custom",
        "message": Bound.DEADLINE.sentence,
        "allow_retry": True,
    }
    assert json.loads(said.simple[0]) == {"type": "error", "message": Bound.DEADLINE.sentence}
    assert error_event("stream.error") == error_event(None) == ERROR_EVENT
