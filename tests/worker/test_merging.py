"""The merging that stands in for the SDK's: the same events, in their order, and the same ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from chatkit import agents
from chatkit.types import ProgressUpdateEvent

from tests.waiting import until
from worker.merging import merged

pytestmark = pytest.mark.anyio


def queue() -> Any:
    return agents._AsyncQueueIterator(asyncio.Queue())


async def said(*events: Any, error: BaseException | None = None) -> AsyncIterator[Any]:
    for event in events:
        yield event
    if error is not None:
        raise error


async def test_the_agents_events_come_in_order_until_it_ends() -> None:
    assert [event async for event in merged(said(1, 2, 3), queue())] == [1, 2, 3]


async def test_what_a_tool_says_comes_between_and_wrapped_as_the_sdk_wraps_it() -> None:
    spoken, release = queue(), asyncio.Event()
    notice = ProgressUpdateEvent(text="looking")

    async def agent() -> AsyncIterator[int]:
        yield 1
        spoken.queue.put_nowait(notice)
        await release.wait()
        yield 2

    seen: list[Any] = []
    async for event in merged(agent(), spoken):
        seen.append(event.event if isinstance(event, agents._EventWrapper) else event)
        if event is not seen[0]:
            release.set()
    assert seen == [1, notice, 2]


@pytest.mark.parametrize("error", [ValueError("no"), asyncio.CancelledError()])
async def test_what_the_agent_fails_of_is_raised_after_its_events(error: BaseException) -> None:
    events = merged(said(1, error=error), queue())
    assert await anext(events) == 1
    with pytest.raises(type(error)):
        await anext(events)


async def test_a_context_that_is_complete_ends_it() -> None:
    spoken = queue()
    spoken.queue.put_nowait(agents._QueueCompleteSentinel())
    forever = asyncio.Event()

    async def agent() -> AsyncIterator[int]:
        await forever.wait()
        yield 1

    assert [event async for event in merged(agent(), spoken)] == []
    assert [event async for event in spoken] == []


async def test_a_reader_that_stops_stops_the_agent() -> None:
    stopped = asyncio.Event()

    async def agent() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with aclosing(merged(agent(), queue())) as events:  # type: ignore[type-var]
        assert await anext(events) == 1
    await until(stopped.is_set)
