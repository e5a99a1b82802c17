"""Leases: renewed for all runs at once; what is lost is stopped, and what cannot be renewed in time stands down."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from shared.database import Database
from shared.runs import LEASE_SECONDS, Claim, Runs
from shared.tables import Run
from tests.house import ROOT
from tests.rows import claimed, requeued, row_of, superseded
from tests.waiting import until
from worker.lease import INTERVAL, MARGIN, STALLED_EXIT_CODE, Leases, good_until
from worker.slots import Attempt, Slots
from worker.stop import StopReason

pytestmark = pytest.mark.anyio

_STALL = """
import asyncio, time
from shared.runs import Claim
from shared.tables import Run
from worker import lease
from worker.lease import Leases
from worker.slots import Slots

lease.LEASE_SECONDS = lease.INTERVAL = 0.2

async def work(_):
    await asyncio.Event().wait()

async def main():
    slots = Slots(1, work, on_free=lambda: None)
    leases = Leases(None, slots)
    leases.watch()
    slots.start(Claim(Run(id="run_1", user_id="ann", kind="respond", attempt=1)), lease_until=1e12)
    time.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
async def slots() -> AsyncIterator[Slots]:
    async def work(_: Attempt) -> None:
        await asyncio.Event().wait()

    slots = Slots(100, work, on_free=lambda: None)
    yield slots
    await slots.drain(patience=0, grace=30)


def held(slots: Slots, run: Run, *, lease_until: float | None = None) -> Attempt:
    """The attempt that carries this run out here."""
    slots.start(Claim(run), lease_until=good_until(time.monotonic()) if lease_until is None else lease_until)
    return slots.attempts[-1]


async def test_all_runs_of_a_worker_are_renewed_by_one_statement(database: Database, slots: Slots) -> None:
    runs = [await claimed(database) for _ in range(5)]
    attempts = [held(slots, run, lease_until=0) for run in runs]
    await database.across_users.run("UPDATE runs SET lease_until = clock_timestamp()", {})
    before = time.monotonic()
    await Leases(database, slots).renew()
    sql = "SELECT min(extract(epoch FROM lease_until - clock_timestamp()))::float AS left FROM runs"
    row = await database.across_users.one(sql, {})
    assert row is not None
    assert row["left"] > LEASE_SECONDS / 2
    assert all(attempt.lease_until >= good_until(before) for attempt in attempts)
    assert all(attempt.stopped is None for attempt in attempts)


async def test_a_run_that_is_no_longer_ours_is_stopped_and_its_lease_not_touched(
    database: Database, slots: Slots, runs: Runs
) -> None:
    taken, waiting, kept = [await claimed(database) for _ in range(3)]
    lost = [held(slots, taken), held(slots, waiting)]
    mine = held(slots, kept)
    new = await superseded(database, taken)
    await requeued(database, waiting)
    before = await row_of(database, new)
    await Leases(database, slots).renew()
    assert [attempt.stopped for attempt in lost] == [StopReason.LEASE_LOST] * 2
    assert mine.stopped is None
    assert await row_of(database, new) == before


async def test_a_renewal_brings_the_news_of_a_stop(database: Database, slots: Slots, runs: Runs) -> None:
    run = await claimed(database)
    attempt = held(slots, run)
    await runs.request_cancel("ann", run.id)
    await Leases(database, slots).renew()
    assert attempt.stopped is StopReason.USER


async def test_an_attempt_whose_lease_may_have_lapsed_stands_down_by_itself(database: Database, slots: Slots) -> None:
    lapsed, good = held(slots, await claimed(database), lease_until=time.monotonic() - 0.001), None
    good = held(slots, await claimed(database))
    Leases(database, slots).stand_down()
    assert (lapsed.stopped, good.stopped) == (StopReason.LEASE_LOST, None)


def test_this_worker_stands_down_before_anyone_may_take_over() -> None:
    assert good_until(100.0) == 100.0 + LEASE_SECONDS - MARGIN
    assert LEASE_SECONDS - MARGIN > 2 * INTERVAL


async def test_renewing_goes_on_for_as_long_as_there_are_runs(database: Database, slots: Slots) -> None:
    run = await claimed(database)
    attempt = held(slots, run)
    before = attempt.lease_until
    keeping = asyncio.create_task(Leases(database, slots).keep())
    await until(lambda: attempt.lease_until > before)
    keeping.cancel()
    assert attempt.stopped is None


async def test_without_a_database_the_attempts_are_stopped_in_time(database_url: str, slots: Slots) -> None:
    async with Database(database_url) as closed:
        run = await claimed(closed)
    attempt = held(slots, run, lease_until=time.monotonic() + 0.1)
    keeping = asyncio.create_task(Leases(closed, slots).keep())
    async with asyncio.timeout(30):
        await asyncio.wait([attempt.task])  # type: ignore[list-item]
    assert attempt.stopped is StopReason.LEASE_LOST
    assert not keeping.done()
    keeping.cancel()


def test_a_process_whose_loop_stands_still_with_runs_in_work_is_ended() -> None:
    done = subprocess.run([sys.executable, "-c", _STALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == STALLED_EXIT_CODE
    assert "loop stalled" in done.stderr
