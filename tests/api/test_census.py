"""How the whole system stands: counted at most every two seconds, and unknown where nobody answers."""

import time

import pytest
from redis.asyncio import Redis

from api.census import Census, QueueStanding
from shared.database import Database
from shared.queue import SEEN, Queue
from tests.rows import claimed, queued, requeued

pytestmark = pytest.mark.anyio


async def aged(database: Database, run_id: str, column: str, seconds: float) -> None:
    sql = f"UPDATE runs SET {column} = clock_timestamp() - make_interval(secs => %(s)s) WHERE id = %(id)s"
    await database.across_users.run(sql, {"id": run_id, "s": seconds})


async def test_the_queue_and_the_workers_are_counted(database: Database, queue: Queue, redis: Redis) -> None:
    await aged(database, (await queued(database)).id, "created_at", 60)
    await queued(database)
    await claimed(database)
    await redis.zadd(SEEN, {"w1": time.time(), "w2": time.time(), "gone": time.time() - 60})
    census = Census(database, queue)
    await census.take()
    assert census.standing is not None
    assert (census.standing.waiting, census.standing.running, census.workers) == (2, 1, 2)
    assert 60 <= census.standing.oldest_seconds < 90


async def test_a_run_that_was_taken_back_has_waited_since_then(database: Database, queue: Queue) -> None:
    run = await claimed(database)
    await requeued(database, run)
    await aged(database, run.id, "created_at", 600)
    census = Census(database, queue)
    await census.take()
    assert census.standing is not None
    assert census.standing.oldest_seconds < 300


async def test_who_waits_for_ones_own_runs_keeps_no_worker_late(database: Database, queue: Queue) -> None:
    await queued(database, at_once=1)
    await aged(database, (await queued(database, at_once=1)).id, "created_at", 600)
    census = Census(database, queue)
    await census.take()
    assert census.standing is not None
    assert census.standing.waiting == 2
    assert census.standing.oldest_seconds < 300


async def test_nothing_waits_in_an_empty_queue(database: Database, queue: Queue) -> None:
    census = Census(database, queue)
    await census.take()
    assert census.standing == QueueStanding(waiting=0, running=0, oldest_seconds=0)


async def test_two_scrapes_at_once_ask_once(database: Database, queue: Queue) -> None:
    census = Census(database, queue)
    await census.take()
    await queued(database)
    await census.take()
    assert census.standing == QueueStanding(waiting=0, running=0, oldest_seconds=0)


async def test_what_does_not_answer_is_not_known(database_url: str, queue: Queue) -> None:
    async with Database(database_url) as closed:
        pass
    census = Census(closed, queue)
    await census.take()
    assert (census.standing, census.workers) == (None, 0)
