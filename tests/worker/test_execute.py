"""One run, carried out: what was begun is seen to end, and why an attempt stopped decides what it may still say."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from chatkit.errors import CustomStreamError
from chatkit.types import HiddenContextItem, ThreadItemDoneEvent, ThreadMetadata, ThreadStreamEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from shared.database import Database
from shared.event_log import EventLog
from shared.queue import QUEUE, Queue
from shared.records import End, Event
from shared.runs import RunKind
from shared.tables import Run
from tests.rows import claimed, row_of, superseded
from tests.stories import Story, stories
from tests.worker.room import Place, half, place_of, server_of, speech, texts
from worker.conversation_store import ConversationStore
from worker.stop import StopReason

pytestmark = pytest.mark.anyio


@pytest.fixture
async def place(database: Database, event_log: EventLog, queue: Queue) -> AsyncIterator[Place]:
    """A worker whose server says hello."""

    async def hello(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in speech(thread, "hello there"):
            yield event

    async with place_of(database, event_log, queue, server_of(database, hello)) as made:
        yield made


class Pausing:
    """A server that says half a sentence and waits to be stopped."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def respond(self, thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in half(thread, "half a sentence"):
            yield event
        self.told.set()
        await asyncio.Event().wait()


async def opened(database: Database, event_log: EventLog, **how: object) -> Run:
    """A claimed run whose log the admission has begun."""
    run = await claimed(database, **how)  # type: ignore[arg-type]
    expires_at = run.deadline.timestamp()
    await event_log.begin(run.id, attempt=0, generation=1, expires_at=expires_at, records=[])
    return run


async def assert_shown_is_stored(place: Place, run: Run) -> None:
    """Promise P2."""
    fold = await place.shown(run)
    assert fold.open_ids() == []
    assert {item["id"]: item for item in fold.items()} == await place.stored(run)


async def test_a_run_that_ends_by_itself_is_stored_shown_and_completed(
    place: Place, database: Database, event_log: EventLog
) -> None:
    run = await opened(database, event_log)
    await place.carry_out(run)
    assert texts(await place.shown(run)) == ["hello there"]
    await assert_shown_is_stored(place, run)
    row = await row_of(database, run)
    assert (row["status"], row["error"], row["usage"]) == ("completed", None, None)
    assert (await place.said(run))[-1] == End("completed")


@given(story=stories(), how=st.sampled_from(["ends", "fails", "refuses"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_a_server_says_what_is_shown_at_the_end_is_what_is_stored(
    place: Place, database: Database, event_log: EventLog, story: Story, how: str
) -> None:
    async def tell(*_: object) -> AsyncIterator[ThreadStreamEvent]:
        for event in story.events:
            yield event.model_copy(deep=True)
        if how == "fails":
            raise ZeroDivisionError
        if how == "refuses":
            raise CustomStreamError("Not today.")

    run = await opened(database, event_log)
    await place.answering(tell).carry_out(run)
    await assert_shown_is_stored(place, run)
    assert set(await place.stored(run)) == set(story.done)
    assert (await row_of(database, run))["status"] == ("completed" if how == "ends" else "failed")


async def test_a_server_that_fails_is_an_error_with_retry_after_its_half_was_taken_back(
    place: Place, database: Database, event_log: EventLog
) -> None:
    async def fail(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in half(thread, "half a sentence"):
            yield event
        raise RuntimeError("a secret")

    run = await opened(database, event_log)
    await place.answering(fail).carry_out(run)
    types = [json.loads(record.chatkit)["type"] for record in await place.said(run) if isinstance(record, Event)]
    assert types[-2:] == ["thread.item.removed", "error"]
    assert "secret" not in str(await place.said(run))
    row = await row_of(database, run)
    assert (row["status"], row["error"]) == ("failed", {"code": "stream.error"})


async def test_a_stop_keeps_the_partial_text_once(place: Place, database: Database, event_log: EventLog) -> None:
    run, server = await opened(database, event_log), Pausing()
    stopping = place.answering(server.respond)
    attempt = stopping.begin(run)
    await server.told.wait()
    await place.stop(attempt, StopReason.USER)
    assert texts(await place.shown(run)) == ["half a sentence"]
    await assert_shown_is_stored(place, run)
    assert (await row_of(database, run))["status"] == "cancelled"
    assert (await place.said(run))[-1] == End("cancelled")


async def test_a_deadline_ends_the_run_as_failed_and_says_why(
    place: Place, database: Database, event_log: EventLog
) -> None:
    run, server = await opened(database, event_log), Pausing()
    attempt = place.answering(server.respond).begin(run)
    await server.told.wait()
    await place.stop(attempt, StopReason.DEADLINE)
    assert (await place.shown(run)).items() == []
    assert "took too long" in str(await place.said(run))
    row = await row_of(database, run)
    assert (row["status"], row["error"]) == ("failed", {"code": "deadline"})
    await assert_shown_is_stored(place, run)


async def test_a_run_whose_deadline_has_passed_is_stopped_by_itself(
    place: Place, database: Database, event_log: EventLog
) -> None:
    run = await opened(database, event_log, deadline=0.05)
    await place.answering(Pausing().respond).carry_out(run)
    assert (await row_of(database, run))["status"] == "failed"


async def test_a_shutdown_gives_the_run_back_rings_for_it_and_stores_nothing_of_the_half(
    place: Place, database: Database, event_log: EventLog, redis: Redis
) -> None:
    run, server = await opened(database, event_log), Pausing()
    attempt = place.answering(server.respond).begin(run)
    await server.told.wait()
    await place.stop(attempt, StopReason.SHUTDOWN)
    row = await row_of(database, run)
    assert (row["status"], row["crashes"]) == ("queued", 0)
    assert await redis.zcard(QUEUE) == 1
    assert await place.stored(run) == {}
    assert not any(isinstance(record, End) for record in await place.said(run))


async def test_a_lost_lease_writes_nothing_at_all(
    place: Place, database: Database, event_log: EventLog, redis: Redis
) -> None:
    run, server = await opened(database, event_log), Pausing()
    attempt = place.answering(server.respond).begin(run)
    await server.told.wait()
    before = await row_of(database, run)
    await place.stop(attempt, StopReason.LEASE_LOST)
    assert await row_of(database, run) == before
    assert await redis.zcard(QUEUE) == 0
    assert await place.stored(run) == {}


async def test_an_attempt_that_was_superseded_while_it_spoke_is_seen_nowhere(
    place: Place, database: Database, event_log: EventLog
) -> None:
    gate, told = asyncio.Event(), asyncio.Event()

    async def slow(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in half(thread, "of the first"):
            yield event
        told.set()
        await gate.wait()
        async for event in speech(thread, "of the first", item_id="msg_2"):
            yield event

    old = await opened(database, event_log)
    attempt = place.answering(slow).begin(old)
    await told.wait()
    new = await superseded(database, old)
    await place.carry_out(new)
    gate.set()
    assert attempt.task is not None
    await attempt.task
    assert texts(await place.shown(new)) == ["hello there"]
    await assert_shown_is_stored(place, new)
    assert (await row_of(database, new))["status"] == "completed"


async def test_a_second_attempt_takes_back_what_the_first_one_showed_and_stored(
    place: Place, database: Database, event_log: EventLog
) -> None:
    finished = asyncio.Event()

    async def die(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in speech(thread, "the whole first"):
            yield event
        async for event in half(thread, "half of the second", item_id="msg_2"):
            yield event
        finished.set()
        await asyncio.Event().wait()

    first = await opened(database, event_log)
    attempt = place.answering(die).begin(first)
    await finished.wait()
    await place.stop(attempt, StopReason.LEASE_LOST)
    second = await superseded(database, first)
    await place.carry_out(second)
    fold = await place.shown(second)
    assert texts(fold) == ["hello there"]
    assert not {"msg_1", "msg_2"} & set(fold.ids())
    await assert_shown_is_stored(place, second)


async def test_a_custom_action_is_never_run_twice(place: Place, database: Database, event_log: EventLog) -> None:
    run = await opened(database, event_log, kind=RunKind.ACTION, action={"type": "pay", "payload": None})
    second = await superseded(database, run)
    await place.carry_out(second)
    assert (await row_of(database, run))["status"] == "failed"
    assert (await place.shown(run)).error


async def test_where_our_own_store_fails_the_attempt_is_abandoned_and_no_error_is_shown(
    place: Place, database: Database, database_url: str, event_log: EventLog, redis: Redis
) -> None:
    async with Database(database_url) as closed:
        pass

    async def load(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in half(thread, "half a sentence"):
            yield event
        await ConversationStore(closed).load_thread(thread.id, None)

    run = await opened(database, event_log)
    await place.answering(load).carry_out(run)
    assert (await row_of(database, run))["status"] == "queued"
    assert await redis.zcard(QUEUE) == 1
    assert not (await place.shown(run)).error


async def test_hidden_context_is_stored_and_never_said(place: Place, database: Database, event_log: EventLog) -> None:
    async def whisper(thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        at = {"thread_id": thread.id, "created_at": thread.created_at}
        yield ThreadItemDoneEvent(item=HiddenContextItem(id="hid", content="secret", **at))

    run = await opened(database, event_log)
    await place.answering(whisper).carry_out(run)
    assert "secret" not in str(await place.said(run))
    assert await database.across_users.one("SELECT count(*) AS n FROM messages WHERE id = 'hid'", {}) == {"n": 1}
    await assert_shown_is_stored(place, run)
