"""A cook: shows recipes in a widget, reacts to its buttons, and asks the page to set a timer."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, StopAtTools, function_tool
from chatkit.actions import Action
from chatkit.agents import AgentContext, ClientToolCall, simple_to_agent_input, stream_agent_response
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    HiddenContextItem,
    SyncCustomActionResponse,
    ThreadItemDoneEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)

from examples.kitchen.recipes import RECIPES, Recipe, card, with_ingredient
from examples.model import model_or
from worker.scripted.conversation import Conversation
from worker.scripted.turn import Speech, ToolUse, Turn

Context = RunContextWrapper[AgentContext[Any]]


@function_tool
async def show_recipe(context: Context, ingredient: str) -> str:
    """Show a recipe that uses an ingredient, in a card.

    Args:
        ingredient: What the user would like to cook with.
    """
    recipe = with_ingredient(ingredient)
    if recipe is None:
        return f"There is no recipe with {ingredient}."
    await context.context.stream_widget(card(recipe), copy_text=f"{recipe.name}: {', '.join(recipe.ingredients)}")
    return f"The recipe for {recipe.name} is shown."


@function_tool
async def start_timer(context: Context, minutes: str) -> None:
    """Start a timer on the user's own device.

    Args:
        minutes: For how long.
    """
    context.context.client_tool_call = ClientToolCall(name="start_timer", arguments={"minutes": minutes})


class KitchenServer(ChatKitServer[Any]):
    """Answers with the cook."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self._agent: Agent[AgentContext[Any]] = Agent(
            name="Cook",
            instructions="You are a cook. Show recipes with show_recipe; set timers with start_timer.",
            model=model_or(rule),
            tools=[show_recipe, start_timer],
            tool_use_behavior=StopAtTools(stop_at_tool_names=["start_timer"]),
        )

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 50, "asc", context)
        agent_context: AgentContext[Any] = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self._agent, await simple_to_agent_input(page.data), context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        recipe = _recipe(action, sender, "recipe.shop")
        assert sender is not None
        yield ThreadItemReplacedEvent(item=_shown(sender, recipe, "On your shopping list"))
        base = {"thread_id": thread.id, "created_at": datetime.now()}
        note_id, message_id = (self.store.generate_item_id("message", thread, context) for _ in range(2))
        note = f"The user has put the ingredients of {recipe.name} on their shopping list."
        yield ThreadItemDoneEvent(item=HiddenContextItem(id=note_id, content=note, **base))
        text = f"{', '.join(recipe.ingredients)}: all on your list."
        content = [AssistantMessageContent(text=text)]
        yield ThreadItemDoneEvent(item=AssistantMessageItem(id=message_id, content=content, **base))

    async def sync_action(
        self, thread: ThreadMetadata, action: Action[str, Any], sender: WidgetItem | None, context: Any
    ) -> SyncCustomActionResponse:
        recipe = _recipe(action, sender, "recipe.favourite")
        assert sender is not None
        item = _shown(sender, recipe, "One of your favourites")
        await self.store.save_item(thread.id, item, context)
        return SyncCustomActionResponse(updated_item=item)


def rule(conversation: Conversation) -> Turn:
    """What the cook says where no model is configured."""
    if conversation.steps:
        last = conversation.steps[-1]
        return Speech("The timer is running." if last.tool == "start_timer" else "Enjoy! The card has two buttons.")
    if minutes := re.search(r"timer.*?(\d+)", conversation.sentence):
        return (ToolUse("start_timer", {"minutes": minutes[1]}),)
    if ingredient := re.search(r"with (\w+)", conversation.sentence):
        return (ToolUse("show_recipe", {"ingredient": ingredient[1]}),)
    return Speech("Ask me: *what can I cook with tomatoes?* Or: *set a timer for 10 minutes.*")


def _recipe(action: Action[str, Any], sender: WidgetItem | None, expected: str) -> Recipe:
    """The recipe whose button was pressed. Raises CustomStreamError, which the user reads."""
    payload = action.payload if isinstance(action.payload, dict) else {}
    found = next((one for one in RECIPES if one.name == payload.get("recipe")), None)
    if action.type != expected or sender is None or found is None:
        raise CustomStreamError("This kitchen does not know that button.")
    return found


def _shown(sender: WidgetItem, recipe: Recipe, note: str) -> WidgetItem:
    return sender.model_copy(update={"widget": card(recipe, note=note), "copy_text": f"{recipe.name}: {note}"})
