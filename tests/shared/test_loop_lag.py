"""The lag of the event loop: seen while it lasts, forgotten soon after, and not made of one hiccup."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from shared.loop_lag import LoopLag
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def lag() -> AsyncIterator[LoopLag]:
    """Being measured."""
    made = LoopLag()
    measuring = asyncio.create_task(made.measure())
    yield made
    measuring.cancel()


async def test_a_loop_that_is_held_up_again_and_again_is_seen_to_lag_and_recovers(lag: LoopLag) -> None:
    def late() -> bool:
        time.sleep(0.4)
        return lag.seconds > 0.2

    await until(late)
    await until(lambda: lag.seconds < 0.1)


def test_one_hiccup_is_no_lag_and_a_loop_that_stays_late_is() -> None:
    hiccup, late = LoopLag(), LoopLag()
    hiccup.take(0.3)
    assert hiccup.seconds < 0.15
    for _ in range(10):
        late.take(0.3)
    assert 0.28 < late.seconds < 0.31


def test_a_timer_that_comes_early_is_no_lag() -> None:
    lag = LoopLag()
    lag.take(-0.001)
    assert lag.seconds == 0.0
