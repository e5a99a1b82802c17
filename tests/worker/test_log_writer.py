"""The log's pen: nothing that was appended is lost or doubled, whatever becomes of Redis meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import chain
from pathlib import Path

import pytest
from redis.asyncio import Redis

from local.redis import Redis as RedisServer
from shared.channels import Channels
from shared.database import Database
from shared.errors import StaleAttempt
from shared.event_log import EventLog
from shared.fold import Fold, item_event, removed_event
from shared.pen import Append, Pen
from shared.records import Delta, End, Event, Record
from shared.redis import connect
from shared.runs import Runs
from shared.tables import Run
from tests.conftest import QUIET
from tests.numbers import number
from tests.rows import claimed, row_of, superseded
from worker.flusher import Flusher
from worker.log_writer import LogWriter
from worker.metrics import WorkerMeter

pytestmark = pytest.mark.anyio

PATIENCE = 30.0
PRELUDE: list[Record] = [item_event("thread.item.done", {"id": "msg_user", "type": "user_message", "content": []})]


class CountingPen(Pen):
    """Counts its round trips."""

    trips = 0

    def write(self, appends: Sequence[Append]) -> None:
        self.trips += 1
        super().write(appends)


class Counting(EventLog):
    """Its pens count."""

    async def pen(self) -> CountingPen:
        pen = await super().pen()
        self.made = CountingPen(pen._line, pen._script, pen._tail_ms)
        return self.made


@pytest.fixture
async def flusher(event_log: EventLog, runs: Runs) -> AsyncIterator[Flusher]:
    async with flusher_of(event_log, runs) as opened:
        yield opened


def flusher_of(log: EventLog, runs: Runs) -> Flusher:
    return Flusher(log, runs, tail=60, meter=WorkerMeter())


async def prelude() -> Sequence[Record]:
    return PRELUDE


async def begun(database: Database, flusher: Flusher, run: Run | None = None) -> LogWriter:
    """The open pen of a run whose admission has begun its log."""
    run = run or await claimed(database)
    at = {"attempt": 0, "generation": 1, "expires_at": run.deadline.timestamp()}
    await flusher.log.begin(run.id, **at, records=PRELUDE)
    writer = LogWriter(flusher, run, prelude)
    await writer.open()
    return writer


def say(writer: LogWriter, *records: Record) -> None:
    for record in records:
        writer.append(record)


def sentence(item_id: str, words: int) -> list[Record]:
    """An item, begun and told word by word."""
    item = {"id": item_id, "type": "assistant_message", "content": []}
    return [item_event("thread.item.added", item), *(Delta(item_id, 0, b'"w%d "' % n) for n in range(words))]


async def said(log: EventLog, run: Run) -> list[Record]:
    return [record async for record in log.records(run.id)]


def shown(records: Sequence[Record]) -> list[object]:
    fold = Fold()
    for record in records:
        fold.apply(record)
    return [*fold.items(), fold.status]


async def test_what_is_appended_is_there_in_order_once_it_has_settled(database: Database, flusher: Flusher) -> None:
    writer = await begun(database, flusher)
    told = [*sentence("msg_1", 1200), End("completed")]
    say(writer, *told)
    assert await writer.settled(PATIENCE)
    assert await said(flusher.log, writer.run) == [*PRELUDE, *told]


async def test_what_many_runs_say_meanwhile_goes_in_one_round_trip(
    database: Database, redis: Redis, channels: Channels, runs: Runs
) -> None:
    log = Counting(redis, channels, tail=60, quiet=QUIET)
    async with flusher_of(log, runs) as flusher:
        writers = [await begun(database, flusher) for _ in range(10)]
        for writer in writers:
            say(writer, *sentence("msg_1", 20))
        for writer in writers:
            assert await writer.settled(PATIENCE)
            assert len(await said(log, writer.run)) == 22
    assert log.made.trips == 1


async def forget_scripts(redis: Redis) -> None:
    await redis.script_flush()


async def cut_all_lines(redis: Redis) -> None:
    await redis.client_kill_filter(_type="normal", skipme=True)


@pytest.mark.parametrize("happens", [forget_scripts, cut_all_lines])
async def test_what_ends_a_line_between_two_words_costs_neither(
    database: Database, flusher: Flusher, redis: Redis, happens: Callable[[Redis], Awaitable[None]]
) -> None:
    writer = await begun(database, flusher)
    told = [sentence(f"msg_{at}", 3) for at in range(3)]
    for words in told:
        say(writer, *words)
        assert await writer.settled(PATIENCE)
        await happens(redis)
    assert await said(flusher.log, writer.run) == [*PRELUDE, *chain(*told)]


async def test_a_wiped_log_is_begun_anew_with_what_was_shown_and_goes_on(
    database: Database, flusher: Flusher, redis: Redis
) -> None:
    writer = await begun(database, flusher)
    before, after = [*sentence("msg_1", 3), Event(b'{"type":"notice"}')], [Delta("msg_1", 0, b'"last"')]
    say(writer, *before)
    await writer.settled(PATIENCE)
    await redis.flushdb()
    say(writer, *after)
    assert await writer.settled(PATIENCE)
    say(writer, End("completed"))
    assert await writer.settled(PATIENCE)
    batch = await flusher.log.read(writer.run.id)
    assert batch.generation == (await row_of(database, writer.run))["generation"] == 2
    assert shown(await said(flusher.log, writer.run)) == shown([*PRELUDE, *before, *after, End("completed")])


async def test_a_log_that_is_wiped_before_its_end_is_closed_all_the_same(
    database: Database, flusher: Flusher, redis: Redis
) -> None:
    writer = await begun(database, flusher)
    await redis.flushdb()
    say(writer, *sentence("msg_1", 2), removed_event("msg_1"), End("cancelled"))
    assert await writer.settled(PATIENCE)
    assert await said(flusher.log, writer.run) == [*PRELUDE, End("cancelled")]


async def test_while_redis_is_away_a_run_goes_on_and_its_words_are_kept(
    database: Database, runs: Runs, tmp_path: Path
) -> None:
    with RedisServer(tmp_path / "redis", durable=False) as server:
        redis = connect(server.url)
        async with Channels(redis) as channels, flusher_of(EventLog(redis, channels, tail=60), runs) as flusher:
            writer = await begun(database, flusher)
            server.kill()
            told = [*sentence("msg_1", 3), End("completed")]
            say(writer, *told)
            assert not await writer.settled(0.01)
            await asyncio.to_thread(server.start)
            assert await writer.settled(PATIENCE)
            assert shown(await said(flusher.log, writer.run)) == shown([*PRELUDE, *told])
        await redis.aclose()


async def test_a_run_that_begins_without_redis_begins_its_log_when_it_comes(
    database: Database, runs: Runs, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", durable=False)
    redis = connect(server.url)
    async with Channels(redis) as channels, flusher_of(EventLog(redis, channels, tail=60), runs) as flusher:
        writer = LogWriter(flusher, await claimed(database), prelude)
        await writer.open()
        told = sentence("msg_1", 2)
        say(writer, *told)
        with server:
            assert await writer.settled(PATIENCE)
            assert shown(await said(flusher.log, writer.run)) == shown([*PRELUDE, *told])
        await redis.aclose()


async def test_a_superseded_pen_writes_no_more_and_says_so(database: Database, flusher: Flusher) -> None:
    old = await begun(database, flusher)
    say(old, *sentence("msg_1", 1))
    await old.settled(PATIENCE)
    new = LogWriter(flusher, await superseded(database, old.run), prelude)
    await new.open()
    say(old, *sentence("msg_2", 5))
    assert await old.settled(PATIENCE)
    assert old.stale.is_set()
    say(old, End("completed"))
    say(new, End("failed"))
    assert await new.settled(PATIENCE)
    assert await said(flusher.log, new.run) == [*PRELUDE, *sentence("msg_1", 1), End("failed")]
    assert number(flusher.meter, "fenced_writes_total", at="log") == 1


async def test_a_superseded_attempt_cannot_open_the_log(database: Database, flusher: Flusher) -> None:
    old = await begun(database, flusher)
    await LogWriter(flusher, await superseded(database, old.run), prelude).open()
    with pytest.raises(StaleAttempt):
        await LogWriter(flusher, old.run, prelude).open()


async def test_a_superseded_attempt_cannot_begin_a_wiped_log_anew(
    database: Database, flusher: Flusher, redis: Redis
) -> None:
    old = await begun(database, flusher)
    await superseded(database, old.run)
    await redis.flushdb()
    say(old, *sentence("msg_1", 1))
    async with asyncio.timeout(PATIENCE):
        await old.stale.wait()
    assert not (await flusher.log.read(old.run.id)).found


async def test_a_later_attempt_knows_what_the_earlier_ones_have_shown(database: Database, flusher: Flusher) -> None:
    old = await begun(database, flusher)
    say(old, *sentence("msg_1", 2))
    await old.settled(PATIENCE)
    new = LogWriter(flusher, await superseded(database, old.run), prelude)
    await new.open()
    assert new.fold.open_ids() == ["msg_1"]
    assert new.fold.item("msg_1")["content"][0]["text"] == "w0 w1 "


async def test_a_closed_flusher_sends_nothing_more(database: Database, event_log: EventLog, runs: Runs) -> None:
    async with flusher_of(event_log, runs) as flusher:
        writer = await begun(database, flusher)
    say(writer, End("completed"))
    assert not await writer.settled(0.01)
    assert await said(event_log, writer.run) == PRELUDE
