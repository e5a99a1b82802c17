"""Slots: so many attempts at once, each stopped for one reason, all waited for at the end."""

import asyncio
from datetime import UTC, datetime

import pytest

from shared.runs import Claim, RunKind
from shared.tables import Run
from tests.waiting import until
from worker.current_run import CurrentRun, StoreClosed
from worker.slots import Attempt, Slots
from worker.stop import StopReason

pytestmark = pytest.mark.anyio


class Work:
    """What a slot carries out: it begins, and goes on until it is let or made to end."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Attempt] = asyncio.Queue()
        self.may_end = asyncio.Event()
        self.freed = asyncio.Event()

    async def __call__(self, attempt: Attempt) -> None:
        attempt.begin(current_of(attempt.run))
        self.begun.put_nowait(attempt)
        await self.may_end.wait()


class Result:
    """An agent's result, as far as a Stop is concerned."""

    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


def run_of(number: int = 1, kind: RunKind = RunKind.RESPOND) -> Run:
    return Run(id=f"run_{number}", user_id="ann", kind=kind, attempt=1, request={}, created_at=datetime.now(UTC))


def current_of(run: Run) -> CurrentRun:
    return CurrentRun(run, say=lambda _: None)


async def begun(work: Work, slots: Slots, run: Run | None = None) -> Attempt:
    slots.start(Claim(run or run_of()), lease_until=0)
    return await work.begun.get()


async def ended(attempt: Attempt) -> None:
    assert attempt.task is not None
    await asyncio.wait([attempt.task])


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def slots(work: Work) -> Slots:
    return Slots(2, work, on_free=work.freed.set)


async def test_no_more_than_fit_are_free_and_an_end_frees_one(work: Work, slots: Slots) -> None:
    assert slots.free == 2
    first = await begun(work, slots, run_of(1))
    await begun(work, slots, run_of(2))
    assert slots.free == 0
    slots.stop("run_1", StopReason.USER)
    await ended(first)
    assert work.freed.is_set()
    assert (slots.free, [attempt.run.id for attempt in slots.attempts]) == (1, ["run_2"])


async def test_an_attempt_is_stopped_once_for_the_first_reason(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots)
    slots.stop("run_1", StopReason.LEASE_LOST)
    slots.stop("run_1", StopReason.USER)
    slots.stop("run_unknown", StopReason.USER)
    assert attempt.stopped is StopReason.LEASE_LOST
    await ended(attempt)


@pytest.mark.parametrize("reason", StopReason)
async def test_only_a_users_stop_leaves_the_store_open(work: Work, slots: Slots, reason: StopReason) -> None:
    attempt, result = await begun(work, slots), Result()
    assert attempt.current is not None
    attempt.current.results.append(result)
    attempt.stop(reason)
    assert attempt.current.open == (reason is StopReason.USER)
    assert result.cancelled
    await ended(attempt)


async def test_what_is_finished_cannot_be_stopped_any_more(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots)
    attempt.finished = True
    attempt.stop(StopReason.USER)
    assert attempt.stopped is None
    work.may_end.set()
    await ended(attempt)


async def test_an_attempt_that_fails_frees_its_slot(work: Work) -> None:
    async def fail(_: Attempt) -> None:
        raise ZeroDivisionError

    slots = Slots(1, fail, on_free=work.freed.set)
    slots.start(Claim(run_of()), lease_until=0)
    await work.freed.wait()
    assert slots.free == 1


async def test_a_drain_lets_what_ends_in_time_end_and_takes_nothing_more(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots)
    draining = asyncio.create_task(slots.drain(patience=30, grace=30))
    await until(lambda: slots.closed)
    assert slots.free == 0
    work.may_end.set()
    await draining
    assert attempt.stopped is None


async def test_a_drain_stops_what_has_not_ended_by_then(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots)
    await slots.drain(patience=0, grace=30)
    assert attempt.stopped is StopReason.SHUTDOWN
    assert attempt.task is not None
    assert attempt.task.done()


async def test_a_draining_worker_hands_an_answer_over_at_a_turns_end(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots)
    assert attempt.current is not None
    attempt.current.pause_point()
    attempt.draining = True
    with pytest.raises(StoreClosed):
        attempt.current.pause_point()
    assert attempt.stopped is StopReason.SHUTDOWN
    await ended(attempt)


async def test_an_action_has_no_turn_at_which_it_could_be_handed_over(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots, run_of(kind=RunKind.ACTION))
    attempt.draining = True
    assert attempt.current is not None
    attempt.current.pause_point()
    assert attempt.stopped is None
    work.may_end.set()
    await ended(attempt)


async def test_a_stop_that_only_the_database_knew_of_is_the_users(work: Work, slots: Slots) -> None:
    attempt = await begun(work, slots)
    assert attempt.current is not None
    attempt.current.stop_asked()
    assert attempt.stopped is StopReason.USER
    await ended(attempt)
