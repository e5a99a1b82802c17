"""ChatKitServers as a team would write them: they know nothing of runs, queues or journals.

`CHATKIT_SERVER=tests.faults.servers:TeamServer`. The agent is chosen by the first word of the message.
"""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, Model, OpenAIChatCompletionsModel, Runner, StopAtTools, set_tracing_disabled
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageItem,
    ClientToolCallItem,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)
from chatkit.widgets import Card, Text
from openai import AsyncOpenAI

from tests.faults.desk import Desk
from tests.faults.tools import BAD, PLAIN, ask_the_browser


def the_model() -> Model:
    """A model of the team's own, at the test's endpoint."""
    client = AsyncOpenAI(base_url=os.environ["TEAM_MODEL_URL"], api_key="none", max_retries=0)
    return OpenAIChatCompletionsModel("test", client)


def the_agents() -> dict[str, Agent[Any]]:
    """One that has all tools; one that hands off; one with an agent as a tool; one with an MCP server."""
    set_tracing_disabled(True)
    model, instructions = the_model(), os.environ.get("TEAM_PROMPT", "Be helpful.")
    agent = Agent[Any]("plain", instructions=instructions, model=model, tools=[*PLAIN, *BAD])
    clerk = Agent[Any]("clerk", instructions="You are the clerk.", model=model, tools=PLAIN)
    nested = clerk.as_tool("ask_clerk", "Ask the clerk to do it.")
    browser = StopAtTools(stop_at_tool_names=["ask_the_browser"])
    return {
        "plain": agent,
        "handoff": Agent[Any]("front", instructions=instructions, model=model, handoffs=[clerk]),
        "nested": Agent[Any]("boss", instructions=instructions, model=model, tools=[nested, *PLAIN]),
        "mcp": Agent[Any]("mcp", instructions=instructions, model=model, mcp_servers=[Desk()]),
        "browser": Agent[Any](
            "browser",
            instructions=instructions,
            model=model,
            tools=[ask_the_browser, *PLAIN],
            tool_use_behavior=browser,
        ),
    }


def as_input(item: ThreadItem) -> Any:
    """What the model is given of an earlier item; chat-completions models know nothing of ChatKit's own converter."""
    match item:
        case UserMessageItem():
            return {"role": "user", "content": "".join(part.text for part in item.content)}
        case AssistantMessageItem():
            return {"role": "assistant", "content": "".join(part.text for part in item.content)}
        case ClientToolCallItem(status="completed"):
            return {"role": "user", "content": f"browser said {item.output}"}
        case _:
            return None


class TeamServer(ChatKitServer[Any]):
    """`plain …`, `handoff …`, `nested …`, `mcp …`, `browser …`, `widget …`; anything else is plain."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._agents = the_agents()

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 50, "desc", context)
        history = [said for item in reversed(page.data) if (said := as_input(item))]
        words = "".join(part.text for part in input_user_message.content) if input_user_message else "plain"
        kind = words.split()[0]
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        if kind == "widget":
            yield ThreadItemDoneEvent(item=self._widget(thread, context, words))
        agent = self._agents.get(kind, self._agents["plain"])
        result = Runner.run_streamed(agent, history, context=agent_context, max_turns=12)
        async for event in stream_agent_response(agent_context, result):
            yield event

    def _widget(self, thread: ThreadMetadata, context: Any, words: str) -> WidgetItem:
        return WidgetItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            widget=Card(children=[Text(value=f"About {words}")]),
        )
