"""What nobody is carrying out: taken back, rung for again, or ended, by whichever worker sweeps first."""

import asyncio

import pytest
from redis.asyncio import Redis

from shared.database import Database
from shared.event_log import EventLog
from shared.fold import item_event
from shared.queue import QUEUE, Queue
from shared.records import End
from shared.runs import Runs, RunStatus
from shared.tables import Run
from tests.numbers import number
from tests.rows import claimed, queued, row_of
from worker.metrics import WorkerMeter
from worker.sweeper import CRASHES, Sweeper

pytestmark = pytest.mark.anyio


@pytest.fixture
def meter() -> WorkerMeter:
    return WorkerMeter()


@pytest.fixture
def sweeper(database: Database, event_log: EventLog, queue: Queue, meter: WorkerMeter) -> Sweeper:
    return Sweeper(database, event_log, queue, meter)


async def age(database: Database, run: Run, *columns: str, seconds: float = 60) -> None:
    for column in columns:
        sql = f"UPDATE runs SET {column} = clock_timestamp() - make_interval(secs => %(s)s) WHERE id = %(id)s"
        await database.across_users.run(sql, {"id": run.id, "s": seconds})


async def lapsed(database: Database, *, crashes: int = 0) -> Run:
    """A run whose worker has been dead for a minute."""
    run = await claimed(database)
    await age(database, run, "lease_until")
    await database.across_users.run("UPDATE runs SET crashes = %(n)s WHERE id = %(id)s", {"n": crashes, "id": run.id})
    return run


async def rings(redis: Redis) -> int:
    return int(await redis.zcard(QUEUE))


async def test_a_lapsed_lease_is_taken_back_a_crash_counted_and_rung(
    sweeper: Sweeper, database: Database, redis: Redis
) -> None:
    run = await lapsed(database)
    await sweeper.sweep()
    row = await row_of(database, run)
    assert (row["status"], row["crashes"], row["owner"], row["attempt"]) == ("queued", 1, None, 1)
    assert await rings(redis) == 1


async def test_a_lease_that_holds_is_left_alone(sweeper: Sweeper, database: Database, redis: Redis) -> None:
    run = await claimed(database)
    before = await row_of(database, run)
    await sweeper.sweep()
    assert await row_of(database, run) == before
    assert await rings(redis) == 0


async def test_a_run_that_crashed_too_often_is_ended_as_failed_for_everyone_to_see(
    sweeper: Sweeper, database: Database, event_log: EventLog, redis: Redis
) -> None:
    run = await lapsed(database, crashes=CRASHES - 1)
    item = item_event("thread.item.added", {"id": "msg_1", "type": "assistant_message", "content": []})
    await event_log.begin(run.id, attempt=1, generation=1, expires_at=run.deadline.timestamp(), records=[item])
    await sweeper.sweep()
    row = await row_of(database, run)
    assert (row["status"], row["crashes"], row["error"]) == ("failed", CRASHES, {"code": "stream.error"})
    records = [record async for record in event_log.records(run.id)]
    assert records[-1] == End("failed")
    assert b"thread.item.removed" in records[1].chatkit  # type: ignore[union-attr]
    assert await rings(redis) == 0


async def test_a_run_whose_worker_died_after_its_cancel_ends_as_cancelled_and_counts_no_crash(
    sweeper: Sweeper, database: Database, runs: Runs
) -> None:
    run = await lapsed(database)
    await runs.request_cancel("ann", run.id)
    await sweeper.sweep()
    row = await row_of(database, run)
    assert (row["status"], row["crashes"], row["error"]) == ("cancelled", 0, None)


async def test_what_is_past_its_deadline_is_ended_and_not_begun_again(
    sweeper: Sweeper, database: Database, redis: Redis
) -> None:
    waiting, dead, alive = await queued(database), await lapsed(database), await claimed(database)
    for run in (waiting, dead, alive):
        await age(database, run, "deadline")
    await sweeper.sweep()
    for run in (waiting, dead):
        row = await row_of(database, run)
        assert (row["status"], row["error"]) == ("failed", {"code": "deadline"})
    assert (await row_of(database, alive))["status"] == "running"
    assert await rings(redis) == 0


async def test_a_run_that_nobody_claimed_is_rung_again_each_time_after_twice_as_long(
    sweeper: Sweeper, database: Database, redis: Redis
) -> None:
    run = await queued(database)
    for before, seconds in enumerate((2, 4, 8, 8)):
        await age(database, run, "rung_at", seconds=seconds - 0.9)
        await sweeper.sweep()
        assert await rings(redis) == before
        await age(database, run, "rung_at", seconds=seconds + 0.1)
        await sweeper.sweep()
        assert await rings(redis) == before + 1


async def test_the_oldest_of_a_user_whose_ring_was_never_sent_is_rung_for_when_there_is_room(
    database: Database, event_log: EventLog, queue: Queue, meter: WorkerMeter
) -> None:
    sweeper = Sweeper(database, event_log, queue, meter, at_once=1)
    working = await claimed(database)
    first, second = [await queued(database, at_once=1) for _ in range(2)]
    await sweeper.sweep()
    assert [(await row_of(database, run))["rung_at"] for run in (first, second)] == [None, None]
    await Runs(database).finish(working, RunStatus.COMPLETED)
    # Whoever ended it died before the ring was sent, and before it was noted.
    await database.across_users.run("UPDATE runs SET rung_at = NULL", {})
    await sweeper.sweep()
    assert [(await row_of(database, run))["rung_at"] is not None for run in (first, second)] == [True, False]


async def test_several_sweepers_at_once_count_a_crash_once(sweeper: Sweeper, database: Database, redis: Redis) -> None:
    dead = [await lapsed(database) for _ in range(10)]
    await asyncio.gather(*(sweeper.sweep() for _ in range(5)))
    assert {(await row_of(database, run))["crashes"] for run in dead} == {1}
    assert await rings(redis) == 10


async def test_a_row_that_another_sweeper_holds_is_not_waited_for(sweeper: Sweeper, database: Database) -> None:
    held, free = await lapsed(database), await lapsed(database)
    async with database.across_users.transaction() as another:
        await another.execute("SELECT 1 FROM runs WHERE id = %(id)s FOR UPDATE", {"id": held.id})
        await sweeper.sweep()
        assert (await row_of(database, free))["status"] == "queued"
    await sweeper.sweep()
    assert (await row_of(database, held))["status"] == "queued"


async def test_what_has_ended_is_left_alone(sweeper: Sweeper, database: Database, runs: Runs) -> None:
    run = await claimed(database)
    await runs.finish(run, RunStatus.COMPLETED)
    await age(database, run, "deadline", "rung_at")
    before = await row_of(database, run)
    await sweeper.sweep()
    assert await row_of(database, run) == before


async def test_sweeping_goes_on_though_a_server_is_away(database: Database, database_url: str) -> None:
    rounds: asyncio.Queue[int] = asyncio.Queue()
    meter = WorkerMeter()

    class Away(Sweeper):
        async def sweep(self) -> None:
            rounds.put_nowait(rounds.qsize())
            await super().sweep()

    async with Database(database_url) as closed:
        pass
    sweeping = asyncio.create_task(Away(closed, None, None, meter).run())  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        for _ in range(2):
            await rounds.get()
    assert not sweeping.done()
    assert number(meter, "server_away_total", server="postgres") >= 1
    sweeping.cancel()


async def test_what_it_does_is_counted(sweeper: Sweeper, database: Database, meter: WorkerMeter) -> None:
    await lapsed(database)
    await lapsed(database, crashes=CRASHES - 1)
    await age(database, await queued(database), "rung_at")
    await sweeper.sweep()
    assert number(meter, "crashes_total") == 2
    assert number(meter, "rings_again_total") == 1
    assert number(meter, "runs_ended_total", kind="respond", status="failed", by="sweeper") == 1
