"""A wait that lasts too long raises; a reader that takes its time does not."""

import asyncio

import pytest

from shared.patience import Patience
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_a_wait_that_lasts_too_long_raises() -> None:
    patience = Patience(0.05)
    with pytest.raises(TimeoutError), patience:
        await asyncio.Event().wait()
    patience.close()


async def test_what_happens_between_two_waits_is_not_counted() -> None:
    patience, looks = Patience(0.02), 0
    with patience:
        pass
    loop = asyncio.get_running_loop()
    for _ in range(3):
        # Three times as long as a wait may last, in which the timer has looked.
        over = loop.create_future()
        loop.call_later(0.06, over.set_result, None)
        await over
        with patience:
            looks += 1
    patience.close()
    assert looks == 3


async def test_each_wait_has_the_whole_time() -> None:
    patience, loop = Patience(0.2), asyncio.get_running_loop()
    for _ in range(4):
        come = loop.create_future()
        loop.call_later(0.1, come.set_result, None)
        with patience:
            await come
    patience.close()


async def test_somebody_elses_cancellation_stays_one() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        with Patience(60) as patience:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                patience.close()

    task = asyncio.create_task(wait())
    await begun.wait()
    task.cancel()
    await until(task.done)
    assert task.cancelled()
