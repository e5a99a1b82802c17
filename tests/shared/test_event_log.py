"""The event log: numbered and fenced in one step, followed from any point, by any number of readers."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from shared import log_scripts
from shared.channels import Channels, Inbox
from shared.errors import StaleAttempt
from shared.event_log import CLOSED, Batch, EventLog, end_status, ended
from shared.ids import new_id
from shared.pen import Append, Appended
from shared.records import START, Cursor, Delta, End, Event, Record, decode, encode
from shared.redis import connect
from tests import logs
from tests.conftest import QUIET
from tests.waiting import PATIENCE

pytestmark = pytest.mark.anyio

READERS, PROCESSES, EVENTS, KILLS = 200, 10, 400, 6
LATE = PROCESSES
"""Readers that join, each in a process of its own, when its line is down and the log is about to end."""


class Hasty(Channels):
    """The control: subscribes as the others do, and takes the server's word for given."""

    async def _subscribed(self, name: bytes, patience: float) -> bool:
        await super()._subscribed(name, 0.0)
        return True


def word(number: int) -> Event:
    return Event(b'{"n":%d}' % number)


def bytes_of(*records: Event | End) -> list[bytes]:
    return [encode(record) for record in records]


async def begun(log: EventLog, *records: Record, run_id: str = "", generation: int = 1) -> str:
    """The id of a run whose log holds these records, opened by attempt 1."""
    run_id = run_id or new_id("run")
    expires_at = time.time() + 60
    assert await log.begin(run_id, attempt=0, generation=generation, expires_at=expires_at, records=records)
    await log.open(run_id, 1)
    return run_id


async def append(
    log: EventLog, run_id: str, at: int, *records: Event | End, attempt: int = 1, generation: int = 1
) -> int:
    """Append after `at`; what came of it."""
    batch = Append(run_id, attempt, Cursor(generation, at), bytes_of(*records), time.time() + 60)
    [result] = await logs.append(log, [batch])
    return result


async def followed(log: EventLog, run_id: str, after: Cursor = START) -> list[int]:
    """The sequences a reader is given until the end."""
    seen: list[int] = []
    async with aclosing(log.follow(run_id, after)) as batches:
        async for batch in batches:
            seen += range(batch.first, batch.first + len(batch.records))
    return seen


async def said(log: EventLog, run_id: str) -> list[Record]:
    return [record async for record in log.records(run_id)]


@dataclass(frozen=True)
class Process:
    """What one API process has of the log, and another reader's inbox there."""

    log: EventLog
    line: Inbox


@asynccontextmanager
async def processes(url: str, channels: type[Channels], count: int) -> AsyncIterator[list[Process]]:
    """Event logs as so many API processes have them: each with one pub/sub connection of its own."""
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(count):
            redis = connect(url)
            stack.push_async_callback(redis.aclose)
            opened = await stack.enter_async_context(channels(redis))
            line = await stack.enter_async_context(opened.listen("line"))
            made.append(Process(EventLog(redis, opened, tail=60, quiet=QUIET), line))
        yield made


class Crowd:
    """Readers of one run, in several processes, whose pub/sub connections are killed meanwhile."""

    def __init__(self, url: str, redis: Redis, writer: EventLog, seed: int) -> None:
        self._url, self._redis, self._writer = url, redis, writer
        self._chance = random.Random(seed)
        self._seen: list[list[int]] = []
        self._readers: list[asyncio.Task[None]] = []

    async def read(self, channels: type[Channels], *, patience: float = PATIENCE) -> list[list[int]]:
        """What each reader has seen when all are done, or by the end of the patience."""
        apis, newcomers = processes(self._url, channels, PROCESSES), processes(self._url, channels, LATE)
        async with apis as apis, newcomers as newcomers:
            run_id = await begun(self._writer, word(1))
            await self._write(run_id, apis)
            for process in newcomers:
                await self._line_is_up(process)
            await self._kill()
            for process in newcomers:
                self._join(process, run_id)
            for _ in range(5):
                # Whoever does not wait has read the log after these round trips.
                await self._redis.ping()
            await append(self._writer, run_id, EVENTS, word(EVENTS + 1), End("completed"))
            await asyncio.wait(self._readers, timeout=patience)
            for reader in self._readers:
                reader.cancel()
            await asyncio.gather(*self._readers, return_exceptions=True)
        return self._seen

    async def _write(self, run_id: str, apis: list[Process]) -> None:
        """The whole text in batches of 1 to 5, while readers join and connections die at random moments."""
        joins = sorted(self._chance.randrange(EVENTS) for _ in range(READERS - LATE))
        kills = sorted(self._chance.randrange(EVENTS) for _ in range(KILLS))
        at = 1
        while at < EVENTS:
            while joins and joins[0] < at:
                self._join(self._chance.choice(apis), run_id)
                joins.pop(0)
            while kills and kills[0] < at:
                await self._kill()
                kills.pop(0)
            size = min(self._chance.randint(1, 5), EVENTS - at)
            assert await append(self._writer, run_id, at, *map(word, range(at + 1, at + size + 1))) == Appended.DONE
            at += size
        for _ in joins:
            self._join(self._chance.choice(apis), run_id)

    def _join(self, process: Process, run_id: str) -> None:
        seen: list[int] = []
        self._seen.append(seen)
        self._readers.append(asyncio.create_task(self._follow(process.log, run_id, seen)))

    async def _follow(self, log: EventLog, run_id: str, seen: list[int]) -> None:
        async with aclosing(log.follow(run_id)) as batches:
            async for batch in batches:
                assert [decode(record) for record in batch.records if record[:1] == b"e"] == [
                    word(number) for number in range(batch.first, batch.last.sequence + 1) if number <= EVENTS + 1
                ]
                seen += range(batch.first, batch.last.sequence + 1)

    async def _kill(self) -> None:
        while await self._redis.client_kill_filter(_type="pubsub") == 0:
            pass

    async def _line_is_up(self, process: Process) -> None:
        process.line.take()
        while not await process.line.wait(0.01):
            await self._redis.publish("line", "is it up?")
        await process.log.read("nothing")


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_hundred_readers_see_every_event_once_in_order_though_their_lines_are_cut(
    redis_url: str, redis: Redis, event_log: EventLog, seed: int
) -> None:
    seen = await Crowd(redis_url, redis, event_log, seed).read(Channels)
    assert len(seen) == READERS
    assert all(numbers == list(range(1, EVENTS + 3)) for numbers in seen)


async def test_the_same_readers_lose_events_where_the_acknowledgement_is_not_waited_for(
    redis_url: str, redis: Redis, event_log: EventLog
) -> None:
    seen = await Crowd(redis_url, redis, event_log, 1).read(Hasty, patience=0.5)
    assert len([numbers for numbers in seen if numbers != list(range(1, EVENTS + 3))]) > 0


async def test_a_reader_that_returns_gets_exactly_the_rest(event_log: EventLog) -> None:
    run_id = await begun(event_log, *map(word, range(1, 6)), End("completed"))
    assert await followed(event_log, run_id, Cursor(1, 3)) == [4, 5, 6]
    assert await followed(event_log, run_id, Cursor(1, 5)) == [6]


async def test_a_log_of_more_records_than_one_read_is_read_whole(event_log: EventLog) -> None:
    run_id = await begun(event_log)
    for at in range(0, 2500, 500):
        await append(event_log, run_id, at, *map(word, range(at + 1, at + 501)))
    await append(event_log, run_id, 2500, End("completed"))
    assert await followed(event_log, run_id) == list(range(1, 2502))
    assert await said(event_log, run_id) == [*map(word, range(1, 2501)), End("completed")]


async def test_a_record_comes_out_as_it_went_in(event_log: EventLog) -> None:
    records = [Event(b'{"a":"\xc3\xa9"}', (b"{}", b"[]")), Delta("msg_1", 2, b'"\\n"'), End("failed")]
    assert await said(event_log, await begun(event_log, *records)) == records


async def test_an_older_attempt_can_neither_append_nor_open(event_log: EventLog) -> None:
    run_id = await begun(event_log, word(1))
    assert await event_log.open(run_id, 2) == Cursor(1, 1)
    assert await append(event_log, run_id, 1, word(2), attempt=1) == Appended.STALE
    with pytest.raises(StaleAttempt):
        await event_log.open(run_id, 1)
    assert await append(event_log, run_id, 1, word(3), attempt=2) == Appended.DONE
    assert await said(event_log, run_id) == [word(1), word(3)]


async def test_an_attempt_that_has_not_opened_the_log_cannot_append(event_log: EventLog) -> None:
    run_id = await begun(event_log, word(1))
    assert await append(event_log, run_id, 1, word(2), attempt=2) == Appended.LOST
    assert await said(event_log, run_id) == [word(1)]


async def test_a_batch_that_is_sent_twice_is_there_once(event_log: EventLog) -> None:
    run_id = await begun(event_log, word(1))
    assert await append(event_log, run_id, 1, word(2), word(3)) == Appended.DONE
    assert await append(event_log, run_id, 1, word(2), word(3)) == Appended.DONE
    assert await said(event_log, run_id) == [word(1), word(2), word(3)]


async def test_a_batch_that_does_not_follow_on_is_refused(event_log: EventLog) -> None:
    run_id = await begun(event_log, word(1), word(2))
    for at in (0, 3, 9):
        assert await append(event_log, run_id, at, *map(word, range(9))) == Appended.LOST
    assert await append(event_log, run_id, 2, word(3), generation=2) == Appended.LOST
    assert await said(event_log, run_id) == [word(1), word(2)]


async def test_batches_of_many_runs_go_together_and_each_has_its_own_result(event_log: EventLog) -> None:
    good, stale, gone = await begun(event_log), await begun(event_log), new_id("run")
    await event_log.open(stale, 5)
    at = Cursor(1, 0)
    batches = [Append(run_id, 1, at, bytes_of(word(1)), time.time() + 60) for run_id in (stale, good, gone)]
    assert await logs.append(event_log, batches) == [Appended.STALE, Appended.DONE, Appended.LOST]


async def test_a_sealed_log_refuses_every_attempt_and_is_sealed_once(event_log: EventLog) -> None:
    run_id = await begun(event_log, word(1))
    assert await event_log.seal(run_id, [word(2), End("cancelled")])
    assert not await event_log.seal(run_id, [End("failed")])
    assert await append(event_log, run_id, 3, word(4)) == Appended.STALE
    with pytest.raises(StaleAttempt):
        await event_log.open(run_id, CLOSED - 1)
    assert await followed(event_log, run_id) == [1, 2, 3]
    assert (await said(event_log, run_id))[-1] == End("cancelled")


async def test_a_log_that_is_not_there_cannot_be_sealed(event_log: EventLog) -> None:
    assert not await event_log.seal(new_id("run"), [End("failed")])


async def test_a_generation_is_begun_once_and_never_by_an_older_attempt(event_log: EventLog) -> None:
    run_id = await begun(event_log, word(1))
    at = {"run_id": run_id, "expires_at": time.time() + 60}
    assert not await event_log.begin(**at, attempt=1, generation=1, records=[word(7)])
    assert not await event_log.begin(**at, attempt=0, generation=2, records=[word(7)])
    assert await event_log.begin(**at, attempt=1, generation=2, records=[word(8)])
    assert await said(event_log, run_id) == [word(8)]


async def test_after_a_wipe_a_follower_is_given_the_new_generation_from_its_start(
    event_log: EventLog, redis: Redis
) -> None:
    run_id = await begun(event_log, word(1), word(2))
    seen: list[Batch] = []
    async with aclosing(event_log.follow(run_id)) as batches:
        seen.append(await anext(batches))
        await redis.flushdb()
        assert await append(event_log, run_id, 2, word(3)) == Appended.LOST
        assert await event_log.open(run_id, 1) is None
        await begun(event_log, word(10), run_id=run_id, generation=2)
        await append(event_log, run_id, 1, word(11), End("completed"), generation=2)
        async for batch in batches:
            seen.append(batch)
    assert [(batch.generation, batch.first, len(batch.records)) for batch in seen[:1]] == [(1, 1, 2)]
    again = [(batch.generation, number) for batch in seen[1:] for number in range(batch.first, batch.last.sequence + 1)]
    assert again == [(2, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize("cursor", [Cursor(1, 400), Cursor(1, 1), Cursor(9, 1), Cursor(2, 99)])
async def test_a_cursor_of_another_life_reads_everything_of_this_one(event_log: EventLog, cursor: Cursor) -> None:
    run_id = await begun(event_log, word(1), word(2), End("completed"), generation=2)
    assert await followed(event_log, run_id, cursor) == [1, 2, 3]


async def test_a_batch_over_64_kib_rings_only_and_is_fetched_from_the_log(event_log: EventLog, redis: Redis) -> None:
    run_id = await begun(event_log, word(1))
    big = Event(b'{"t":"%s"}' % (b"x" * 66_000))
    async with redis.pubsub() as raw:
        await raw.subscribe(log_scripts.keys(run_id)[2])
        assert (await raw.get_message(timeout=5.0))["type"] == "subscribe"
        async with aclosing(event_log.follow(run_id)) as batches:
            await anext(batches)
            await append(event_log, run_id, 1, big)
            assert (await raw.get_message(timeout=5.0))["data"] == b"1.2\x1e"
            fetched = await anext(batches)
    assert (fetched.first, fetched.records) == (2, tuple(bytes_of(big)))


async def test_scripts_that_the_server_has_forgotten_are_sent_again(event_log: EventLog, redis: Redis) -> None:
    await redis.script_flush()
    run_id = await begun(event_log, word(1), word(2))
    await redis.script_flush()
    assert len((await event_log.read(run_id)).records) == 2
    await redis.script_flush()
    assert await event_log.seal(run_id, [End("failed")])


async def test_without_a_log_or_without_redis_the_follower_hears_that_nothing_was_found(
    redis: Redis, channels: Channels
) -> None:
    log = EventLog(redis, channels, tail=60, quiet=0.01)
    async with aclosing(log.follow(new_id("run"))) as batches:
        assert await anext(batches) == Batch(found=False)
        assert await anext(batches) == Batch(found=False)
    nowhere = EventLog(connect("unix:///nowhere/redis.sock"), channels, tail=60)
    with pytest.raises(ConnectionError):
        await nowhere.read("run")
    async with aclosing(nowhere.follow("run")) as batches:
        assert await anext(batches) == Batch(found=False)


async def test_an_open_log_lasts_to_its_expiry_and_a_closed_one_for_the_tail(event_log: EventLog, redis: Redis) -> None:
    head, stream, _ = log_scripts.keys(run_id := await begun(event_log, word(1)))
    assert 55 < await redis.ttl(head) <= 60
    await append(event_log, run_id, 1, word(2))
    assert 55 < await redis.ttl(stream) <= 60
    await redis.pexpire(head, 1_000_000)
    await append(event_log, run_id, 2, End("completed"))
    assert 55 < await redis.ttl(head) <= 60
    assert 55 < await redis.ttl(stream) <= 60


async def test_a_log_whose_beginning_was_empty_expires_too(event_log: EventLog, redis: Redis) -> None:
    run_id = await begun(event_log)
    await append(event_log, run_id, 0, word(1))
    assert 55 < await redis.ttl(log_scripts.keys(run_id)[1]) <= 60


def test_a_runs_keys_live_on_one_node_of_a_cluster() -> None:
    assert {key[key.index("{") : key.index("}") + 1] for key in log_scripts.keys("run_7")} == {"{run_7}"}


def test_a_batch_after_a_cursor_is_its_rest() -> None:
    batch = Batch(1, 5, (b"e5", b"e6", b"e7"))
    assert batch.after(Cursor(1, 4)) == batch
    assert batch.after(Cursor(1, 6)) == Batch(1, 7, (b"e7",))
    assert batch.after(Cursor(1, 9)).records == ()


def test_a_batch_ends_the_log_where_its_last_record_says_so() -> None:
    closing = Batch(1, 1, tuple(bytes_of(word(1), End("failed"))))
    assert ended(closing)
    assert end_status(closing) == "failed"
    assert not ended(Batch(1, 1, tuple(bytes_of(word(1)))))
    assert not ended(Batch())
