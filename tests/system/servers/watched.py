"""A team's server for the tests of what is told of a run: its tools log, find things, and fail."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import structlog
from agents import Agent, Runner, function_tool
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import ThreadMetadata, ThreadStreamEvent, UserMessageItem

from examples.model import model_or
from worker.converter import Converter
from worker.scripted.turn import Speech

RESULT = "canary-of-a-result"
RAISED = "canary-of-an-exception"


@function_tool
async def look_up(subject: str) -> str:
    """Look something up, and log that it was done."""
    structlog.get_logger().info("looking up")
    logging.getLogger("a.team").warning("looking up, in Python's own words")
    await asyncio.sleep(0.05)
    return f"{subject}: {RESULT}"


@function_tool
async def stumble(subject: str) -> str:
    """Fail, which the SDK tells the model."""
    raise ValueError(f"{RAISED}: {subject}")


@function_tool(failure_error_function=None)
async def fall(subject: str) -> str:
    """Fail, and take the whole answer down."""
    raise ValueError(f"{RAISED}: {subject}")


async def forgotten(subject: str) -> None:
    """A task that nobody waits for, as a team may leave one behind."""
    raise ValueError(f"{RAISED}: {subject}")


@function_tool
async def leave_behind(subject: str) -> str:
    """Begin what fails by itself."""
    task = asyncio.create_task(forgotten(subject))
    await asyncio.wait([task])
    return "begun"


class Server(ChatKitServer[Any]):
    """Answers with an agent on the model that the environment names."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        tools = [look_up, stumble, fall, leave_behind]
        self._agent: Agent[AgentContext[Any]] = Agent(name="Watched", model=model_or(_nothing), tools=tools)

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 50, "asc", context)
        agent_context: AgentContext[Any] = AgentContext(thread=thread, store=self.store, request_context=context)
        asked = await Converter().to_agent_input(page.data)
        result = Runner.run_streamed(self._agent, asked, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event


def _nothing(_: object) -> Speech:
    return Speech("There is no model.")
