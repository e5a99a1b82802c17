"""The servers that answer: one as the SDK's guides write it, unmodified on both sides, and the default todo agent."""

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, Runner
from chatkit.agents import AgentContext, simple_to_agent_input, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import ThreadItem, ThreadMetadata, ThreadStreamEvent, UserMessageItem

from benchmarks.model import MeteredModel


class PlainServer(ChatKitServer[Any]):
    """The quickstart's: the last twenty items, one agent, its answer streamed."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self._agent = Agent[AgentContext[Any]](name="Plain", instructions="Answer.", model=MeteredModel())

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        items: list[ThreadItem] = list(reversed(page.data))
        agent_context: AgentContext[Any] = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self._agent, await simple_to_agent_input(items), context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event
