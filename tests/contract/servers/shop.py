"""A ChatKitServer as the SDK's guides teach it, with widgets and actions. Knows nothing of what it runs behind."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, function_tool
from chatkit.actions import Action, ActionConfig
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.store import AttachmentStore, Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    FeedbackKind,
    HiddenContextItem,
    LockedStatus,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    UserMessageTagContent,
    WidgetItem,
)
from chatkit.widgets import Button, Card, Text

from tests.contract.servers.context import Context
from tests.contract.servers.gallery import gallery
from worker.scripted.conversation import Conversation
from worker.scripted.rules import RuleModel
from worker.scripted.turn import Speech, ToolUse, Turn


def rule(conversation: Conversation) -> Turn:
    """What the model of this shop says."""
    said = conversation.sentence
    if "products" in said and not conversation.steps:
        return (ToolUse("show_products", {"kind": "tea"}),)
    if conversation.steps:
        return Speech("Here is what we have.")
    if "think" in said:
        return Speech("That was a thought.", thoughts="The customer wants me to think.")
    return Speech(f"You said: {said}")


@function_tool
async def show_products(ctx: RunContextWrapper[AgentContext[Context]], kind: str) -> str:
    """Show the products of a kind in a widget."""
    await ctx.context.stream_widget(card(kind, "for sale"), copy_text=f"{kind}: for sale")
    return "The products were shown."


def card(kind: str, state: str) -> Card:
    """The widget of one product."""
    buy = ActionConfig(type="shop.buy", payload={"kind": kind})
    like = ActionConfig(type="shop.like", payload={"kind": kind})
    return Card(
        children=[
            Text(id="state", value=f"{kind}: {state}"),
            Button(label="Buy", onClickAction=buy),
            Button(label="Like", onClickAction=like),
        ]
    )


class Converter(ThreadItemConverter):
    """Tags become their text, as the guide on entities shows."""

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> Any:
        return {"type": "input_text", "text": f"<tag>{tag.text}</tag>"}


class ShopServer(ChatKitServer[Context]):
    """Sells tea."""

    def __init__(self, data_store: Store[Context], attachment_store: AttachmentStore[Context] | None = None) -> None:
        super().__init__(data_store, attachment_store)
        self.agent: Agent[AgentContext[Context]] = Agent(
            name="Shop", instructions="You sell tea.", model=RuleModel(rule), tools=[show_products]
        )

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        text = said(input_user_message)
        if text == "gallery":
            async for event in gallery(thread):
                yield event
            return
        if text == "fail":
            raise CustomStreamError("The till is jammed.", allow_retry=True)
        if text == "break":
            raise RuntimeError("a secret of the shop")
        if text == "lock":
            thread.status = LockedStatus(reason="closed for today")
        if thread.title is None:
            thread.title = f"About {text}"
        page = await self.store.load_thread_items(thread.id, None, 50, "asc", context)
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self.agent, await Converter().to_agent_input(page.data), context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        match action.type:
            case "shop.buy" if sender is not None:
                kind = action.payload["kind"]
                widget = sender.model_copy(update={"widget": card(kind, "sold"), "copy_text": f"{kind}: sold"})
                yield ThreadItemReplacedEvent(item=widget)
                yield ThreadItemDoneEvent(item=self.hidden(thread, f"The customer bought {kind}.", context))
                yield ThreadItemDoneEvent(item=self.message(thread, f"You have bought {kind}.", context))
            case "shop.greet":
                yield ThreadItemDoneEvent(item=self.message(thread, "Welcome back.", context))
            case _:
                raise ValueError(action.type)

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Context
    ) -> SyncCustomActionResponse:
        if action.type != "shop.like" or sender is None:
            raise CustomStreamError("That cannot be liked.")
        liked = sender.model_copy(update={"widget": card(action.payload["kind"], "liked")})
        await self.store.save_item(thread.id, liked, context)
        return SyncCustomActionResponse(updated_item=liked)

    async def add_feedback(self, thread_id: str, item_ids: list[str], feedback: FeedbackKind, context: Context) -> None:
        thread = await self.store.load_thread(thread_id, context)
        thread.title = f"{feedback}: {len(item_ids)}"
        await self.store.save_thread(thread, context)

    def message(self, thread: ThreadMetadata, text: str, context: Context) -> AssistantMessageItem:
        """A message of the shop's own making."""
        return AssistantMessageItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            content=[AssistantMessageContent(text=text)],
        )

    def hidden(self, thread: ThreadMetadata, text: str, context: Context) -> HiddenContextItem:
        """A note to the model."""
        return HiddenContextItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            content=text,
        )


def said(message: UserMessageItem | None) -> str:
    """The message's text."""
    return "".join(part.text for part in message.content) if message else ""
