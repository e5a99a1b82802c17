"""The kitchen, carried out as runs: its widget, its buttons, its timer."""

from typing import Any

import pytest
from chatkit.types import ThreadCustomActionParams

from api import calls, continuation
from examples.kitchen import Server
from shared.database import Database
from shared.runs import Runs
from tests.worker.carrying import Talk, as_it_is
from worker.calls import carry_out
from worker.conversation_store import ConversationStore
from worker.current_run import CurrentRun, carrying_out

pytestmark = pytest.mark.anyio


@pytest.fixture
def talk(database: Database) -> Talk:
    return Talk(database, Server(ConversationStore(database)))


def done(events: list[Any], item_type: str) -> list[Any]:
    """The finished items of a type."""
    return [event.item for event in events if event.type == "thread.item.done" and event.item.type == item_type]


async def pressed(talk: Talk, sender: Any, action: str) -> ThreadCustomActionParams:
    """What the page sends when a button of the card is pressed."""
    parts = {"type": action, "payload": {"recipe": "Tomato soup"}}
    return ThreadCustomActionParams.model_validate(
        {"thread_id": talk.conversation_id, "item_id": sender.id, "action": parts}
    )


async def test_a_recipe_is_shown_in_a_card_with_its_buttons(talk: Talk) -> None:
    events = await talk.say("What can I cook with tomatoes?")
    [shown] = done(events, "widget")
    assert shown.copy_text == "Tomato soup: tomatoes, onions, basil"
    assert done(events, "assistant_message")[0].content[0].text == "Enjoy! The card has two buttons."


async def test_a_streamed_action_replaces_the_card_and_answers(talk: Talk) -> None:
    [shown] = done(await talk.say("What can I cook with tomatoes?"), "widget")
    params = await pressed(talk, shown, "recipe.shop")
    events = await talk.carry_out(await talk.admit(continuation.action(params)))
    [replaced] = [event.item for event in events if event.type == "thread.item.replaced"]
    assert (replaced.id, replaced.copy_text) == (shown.id, "Tomato soup: On your shopping list")
    assert done(events, "assistant_message")[0].content[0].text == "tomatoes, onions, basil: all on your list."
    assert not done(events, "hidden_context_item")


async def test_an_immediate_action_answers_with_the_card(talk: Talk) -> None:
    [shown] = done(await talk.say("What can I cook with tomatoes?"), "widget")
    run = await talk.admit(calls.sync_action(await pressed(talk, shown, "recipe.favourite")))
    with carrying_out(CurrentRun(run, talk.said.append)):
        reply = await carry_out(talk.server, as_it_is, run)
    assert reply["updated_item"]["copy_text"] == "Tomato soup: One of your favourites"


async def test_an_unknown_button_is_said_to_be_unknown(talk: Talk) -> None:
    [shown] = done(await talk.say("What can I cook with tomatoes?"), "widget")
    params = await pressed(talk, shown, "recipe.burn")
    events = await talk.carry_out(await talk.admit(continuation.action(params)))
    assert events[-1].message == "This kitchen does not know that button."


async def test_the_timer_is_started_by_the_page(talk: Talk) -> None:
    events = await talk.say("Set a timer for 10 minutes, please")
    [call] = done(events, "client_tool_call")
    assert (call.name, call.arguments, call.status) == ("start_timer", {"minutes": "10"}, "pending")
    run = await talk.admit(continuation.tool_output(talk.conversation_id or "", {"started": True}))
    events = await talk.carry_out(run)
    assert done(events, "assistant_message")[0].content[0].text == "The timer is running."
    assert await Runs(talk.database).active("ann", talk.conversation_id or "") is None
