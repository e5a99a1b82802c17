"""The SDK's merging of two streams without a task for each event.

`stream_agent_response` takes turns between the agent's events and those that tools put into the context's queue.
The SDK asks both for their next event in a task of its own each time, which costs more than all else that it does
with a text delta; here one task brings the agent's events into the same queue. `chatkit.agents._merge_generators` is
the SDK's own affair (openai-chatkit 1.6.5): what is taken of it is pinned by tests/contract.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from chatkit import agents


class _AgentEnded:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _FromAgent:
    __slots__ = ("event",)

    def __init__(self, event: Any) -> None:
        self.event = event


async def merged(events: AsyncIterator[Any], said: Any) -> AsyncIterator[Any]:
    """The events of both, each as soon as it is there, until the first of the two has ended.

    `said` is the SDK's iterator over the context's queue; what comes from there is wrapped as the SDK wraps it.
    Raises what `events` raises.
    """
    queue = said.queue
    bringing = asyncio.create_task(_bring(events, queue))
    try:
        while True:
            match await queue.get():
                case _FromAgent(event=event):
                    yield event
                case _AgentEnded(error=None):
                    return
                case _AgentEnded(error=BaseException() as error):
                    raise error
                case agents._QueueCompleteSentinel():
                    said.completed = True
                    return
                case event:
                    yield agents._EventWrapper(event)
    finally:
        bringing.cancel()


async def _bring(events: AsyncIterator[Any], queue: "asyncio.Queue[Any]") -> None:
    try:
        async for event in events:
            queue.put_nowait(_FromAgent(event))
    except BaseException as error:
        # A cancellation too: the agent's stream ends by one when its run was cancelled, and the reader must hear of it.
        queue.put_nowait(_AgentEnded(error))
        if not isinstance(error, Exception):
            raise
    else:
        queue.put_nowait(_AgentEnded())


def install() -> None:
    """Make it the merging of this process."""
    agents._merge_generators = merged  # type: ignore[assignment]
