"""The relay: a run's log as server-sent events, and its record's word where the log has none."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from api.reading import Dialect
from api.relay import Relay, ending, waiting_frame
from api.watch import Watch
from shared.bounds import Bound
from shared.channels import Channels
from shared.database import Database
from shared.event_log import EventLog
from shared.fold import item_event
from shared.pen import Append
from shared.records import START, Cursor, Delta, End, Event, Record, Shorthand, encode
from shared.runs import Runs, RunStatus
from shared.standings import Standings
from shared.tables import Run
from shared.wire import to_wire
from tests import logs
from tests.rows import answer, claimed, queued, save
from worker.execute import FAILED

pytestmark = pytest.mark.anyio


@pytest.fixture
def log(redis: Redis, channels: Channels) -> EventLog:
    """A log whose quiet seconds are short."""
    return EventLog(redis, channels, tail=60, quiet=0.02)


@pytest.fixture
def relay(database: Database, log: EventLog) -> Relay:
    return Relay(log, Watch(Standings(database)), database, ping_seconds=3600)


async def logged(log: EventLog, run: Run, *records: Record, generation: int = 1) -> None:
    at = {"attempt": 1, "generation": generation, "expires_at": time.time() + 60}
    assert await log.begin(run.id, **at, records=records)


async def append(log: EventLog, run: Run, at: int, *records: Record) -> None:
    await logs.append(log, [Append(run.id, 1, Cursor(1, at), [encode(record) for record in records], time.time() + 60)])


async def whole(relay: Relay, run: Run, after: Cursor = START, dialect: Dialect = Dialect.CHATKIT) -> list[str]:
    """The frames of the stream, which ends by itself."""
    async with aclosing(relay.follow(run, after, dialect)) as chunks:
        text = b"".join([chunk async for chunk in chunks]).decode()
    return text.removesuffix("\n\n").split("\n\n")


async def next_frame(chunks: AsyncIterator[bytes]) -> str:
    return (await anext(chunks)).decode().strip()


def progress(text: str) -> Event:
    return Event(json.dumps({"type": "progress_update", "text": text}).encode())


async def test_an_ended_log_is_given_in_order_with_ids_and_its_end(
    relay: Relay, log: EventLog, database: Database
) -> None:
    run = await claimed(database)
    await logged(log, run, progress("one"), Delta("msg_1", 0, b'"two"'), End("completed"))
    first, second, end = await whole(relay, run)
    assert first == 'id: 1.1\ndata: {"type": "progress_update", "text": "one"}'
    assert second.startswith('id: 1.2\ndata: {"type":"thread.item.updated","item_id":"msg_1"')
    assert end == ": end completed"


async def test_a_reader_at_the_tip_of_the_log_understands_the_words_that_come_next(
    event_log: EventLog, database: Database
) -> None:
    run, shorthand = await claimed(database), Shorthand()
    relay = Relay(event_log, Watch(Standings(database)), database, ping_seconds=0)
    one, two = Delta("msg_1", 0, b'"one"'), Delta("msg_1", 0, b'"two"')
    await logged(event_log, run, one)
    async with aclosing(relay.follow(run, Cursor(1, 1), Dialect.CHATKIT)) as chunks:
        assert await next_frame(chunks) == ": ping"
        _, later = shorthand.encode(one), shorthand.encode(two)
        await logs.append(event_log, [Append(run.id, 1, Cursor(1, 1), [later], time.time() + 60)])
        told = await next_frame(chunks)
    assert told.startswith('id: 1.2\ndata: {"type":"thread.item.updated","item_id":"msg_1"')
    assert '"two"' in told


async def test_a_reader_that_returns_is_given_the_rest(relay: Relay, log: EventLog, database: Database) -> None:
    run = await claimed(database)
    await logged(log, run, progress("one"), progress("two"), End("failed"))
    assert [frame.partition("\n")[0] for frame in await whole(relay, run, Cursor(1, 1))] == ["id: 1.2", ": end failed"]


async def test_the_simple_dialect_has_its_own_frames_and_only_a_records_last_one_has_an_id(
    relay: Relay, log: EventLog, database: Database
) -> None:
    run = await claimed(database)
    told = (b'{"type":"retract"}', b'{"type":"text","content":"a"}')
    await logged(log, run, progress("unsaid"), Event(b"", told), Delta("m", 0, b'"b"'), End("completed"))
    assert await whole(relay, run, dialect=Dialect.SIMPLE) == [
        'data: {"type":"retract"}',
        'id: 1.2\ndata: {"type":"text","content":"a"}',
        'id: 1.3\ndata: {"type":"text","content":"b"}',
        f'data: {{"type":"done","thread_id":"{run.conversation_id}","run_id":"{run.id}"}}',
        "data: [DONE]",
        ": end completed",
    ]


async def test_what_is_said_while_one_reads_comes_at_once(relay: Relay, log: EventLog, database: Database) -> None:
    run = await claimed(database)
    await logged(log, run, progress("one"))
    async with aclosing(relay.follow(run, START, Dialect.CHATKIT)) as chunks:
        assert (await next_frame(chunks)).startswith("id: 1.1")
        await append(log, run, 1, progress("two"))
        assert (await next_frame(chunks)).startswith("id: 1.2")
        await append(log, run, 2, End("completed"))
        assert await next_frame(chunks) == ": end completed"
        assert [chunk async for chunk in chunks] == []


async def test_an_ended_run_whose_log_has_gone_is_told_from_its_record(
    relay: Relay, database: Database, runs: Runs
) -> None:
    run = await claimed(database, "the question")
    await save(database, run, answer("the answer", run, item_id="msg_1"))
    await runs.finish(run, RunStatus.COMPLETED)
    *items, end = await whole(relay, run)
    assert all(frame.startswith("data: ") for frame in items)
    said = [json.loads(frame.removeprefix("data: ")) for frame in items]
    assert [event["type"] for event in said] == ["thread.item.done"] * 2
    assert [event["item"]["content"][0]["text"] for event in said] == ["the question", "the answer"]
    assert end == ": end completed"


async def test_an_ended_run_whose_log_was_never_closed_is_ended_all_the_same(
    relay: Relay, log: EventLog, database: Database, runs: Runs
) -> None:
    run = await claimed(database)
    item = {"id": "msg_1", "type": "assistant_message", "content": []}
    await logged(log, run, item_event("thread.item.added", item))
    await runs.finish(run, RunStatus.FAILED)
    frames = await whole(relay, run)
    assert frames[-1] == ": end failed"
    assert '{"type":"thread.item.removed","item_id":"msg_1"}' in "".join(frames)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("deadline", {"code": "custom", "message": Bound.DEADLINE.sentence, "allow_retry": True}),
        ("stream.error", {"code": "stream.error", "allow_retry": True}),
    ],
)
async def test_a_failed_run_whose_log_has_gone_says_what_it_failed_of(
    relay: Relay, database: Database, runs: Runs, code: str, said: dict[str, object]
) -> None:
    run = await claimed(database)
    await runs.finish(run, RunStatus.FAILED, error={"code": code})
    *_, error, end = await whole(relay, run)
    assert json.loads(error.removeprefix("data: ")) == {"type": "error", **said}
    assert end == ": end failed"


async def test_a_reader_that_has_been_told_of_the_error_is_not_told_again(
    relay: Relay, log: EventLog, database: Database, runs: Runs
) -> None:
    run = await claimed(database)
    await logged(log, run, Event(to_wire(FAILED)))
    await runs.finish(run, RunStatus.FAILED, error={"code": "stream.error"})
    frames = await whole(relay, run)
    assert sum('"type":"error"' in frame for frame in frames) == 1
    assert frames[-1] == ": end failed"


async def test_a_run_that_was_deleted_ends_its_streams(relay: Relay, database: Database) -> None:
    run = await claimed(database)
    await database.across_users.run("DELETE FROM conversations", {})
    assert await whole(relay, run) == [": end cancelled"]


async def test_a_reader_of_a_run_that_nobody_carries_out_is_sent_away_to_come_back(
    relay: Relay, log: EventLog, database: Database
) -> None:
    run = await claimed(database)
    await logged(log, run, progress("one"))
    await database.across_users.run("UPDATE runs SET lease_until = clock_timestamp() - interval '31 s'", {})
    assert [frame.partition("\n")[0] for frame in await whole(relay, run)] == ["id: 1.1"]


async def test_a_reader_that_waits_is_told_its_place_when_it_changes(relay: Relay, database: Database) -> None:
    first, second = await queued(database), await queued(database)
    await database.across_users.run("UPDATE runs SET created_at = clock_timestamp() - interval '2 s'", {})
    async with aclosing(relay.follow(second, START, Dialect.CHATKIT)) as chunks:
        assert "Waiting for a free worker (1 ahead)" in await next_frame(chunks)
        await database.across_users.run("UPDATE runs SET status = 'running' WHERE id = %(id)s", {"id": first.id})
        frame = await next_frame(chunks)
    assert frame == 'data: {"type":"progress_update","text":"Waiting for a free worker"}'


async def test_silence_is_broken_by_a_ping(log: EventLog, database: Database) -> None:
    run = await claimed(database)
    relay = Relay(log, Watch(Standings(database)), database, ping_seconds=0.01)
    async with aclosing(relay.follow(run, START, Dialect.SIMPLE)) as chunks:
        assert await next_frame(chunks) == ": ping"
        assert await next_frame(chunks) == ": ping"


async def test_postgres_being_away_ends_no_stream(log: EventLog, database: Database, database_url: str) -> None:
    run = await claimed(database)
    async with Database(database_url) as closed:
        pass
    relay = Relay(log, Watch(Standings(closed)), closed, ping_seconds=0.01)
    async with aclosing(relay.follow(run, START, Dialect.CHATKIT)) as chunks:
        assert await next_frame(chunks) == ": ping"
        await logged(log, run, End("completed"))
        frames = [chunk async for chunk in chunks]
    assert frames[-1] == b": end completed\n\n"


def test_the_end_is_a_comment_after_what_each_dialect_ends_with() -> None:
    run = Run(id="run_1", conversation_id="thr_1", user_id="ann", kind="respond")
    assert ending(run, "cancelled", Dialect.CHATKIT) == b": end cancelled\n\n"
    assert ending(run, "failed", Dialect.SIMPLE).endswith(b"data: [DONE]\n\n: end failed\n\n")


def test_the_relays_own_word_has_no_id() -> None:
    assert b"id:" not in waiting_frame(1) + waiting_frame(3)
    assert b"2 ahead" in waiting_frame(3)
