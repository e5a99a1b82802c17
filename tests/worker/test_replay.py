"""A recorded response is said again as a live one is said: every item begun, told and done, in its place."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agents import Agent, Model, Runner
from agents.testing import ModelStep, ScriptedModel
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.types import Page, ThreadMetadata
from openai.types.responses import (
    Response,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseOutputText,
    ResponseReasoningItem,
)
from openai.types.responses.response_function_web_search import ActionSearch, ResponseFunctionWebSearch
from openai.types.responses.response_output_text import AnnotationURLCitation
from openai.types.responses.response_reasoning_item import Summary

from tests.rows import DAY
from tests.worker.asking import completed, heard
from worker.journaled_model import _dump
from worker.replay import replayed

pytestmark = pytest.mark.anyio

CITED = AnnotationURLCitation(type="url_citation", title="t", url="https://a.example", start_index=0, end_index=3)
ITEMS: list[ResponseOutputItem] = [
    ResponseReasoningItem(id="rs_1", type="reasoning", summary=[Summary(text="Let me see.", type="summary_text")]),
    ResponseOutputMessage(
        id="msg_1",
        type="message",
        role="assistant",
        status="completed",
        content=[
            ResponseOutputText(type="output_text", text="Look: here.", annotations=[CITED]),
            ResponseOutputRefusal(type="refusal", refusal="Not that."),
        ],
    ),
    ResponseFunctionToolCall(
        id="fc_1", type="function_call", call_id="call_1", name="add", arguments='{"a": 1}', provider_data="kept"
    ),
    ResponseFunctionWebSearch(
        id="ws_1", type="web_search_call", status="completed", action=ActionSearch(type="search", query="q")
    ),
]


def again(*items: ResponseOutputItem) -> list[Any]:
    """What is said of a response that went through the journal."""
    response = completed(*items).response
    return list(replayed(Response.model_validate(_dump(response))))


def deltas(events: list[Any], kind: str) -> str:
    return "".join(event.delta for event in events if event.type == kind)


def test_each_item_is_begun_and_done_once_in_its_place() -> None:
    events = again(*ITEMS)
    for kind in ("response.output_item.added", "response.output_item.done"):
        said = [(event.output_index, event.item.id) for event in events if event.type == kind]
        assert said == list(enumerate(["rs_1", "msg_1", "fc_1", "ws_1"]))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


def test_an_item_begins_empty_and_its_deltas_are_the_whole_of_it() -> None:
    events = again(*ITEMS)
    reasoning, message, call, _ = [event.item for event in events if event.type == "response.output_item.added"]
    assert (reasoning.summary, message.content, message.status, call.arguments) == ([], [], "in_progress", "")
    assert deltas(events, "response.output_text.delta") == "Look: here."
    assert deltas(events, "response.refusal.delta") == "Not that."
    assert deltas(events, "response.function_call_arguments.delta") == '{"a": 1}'
    assert deltas(events, "response.reasoning_summary_text.delta") == "Let me see."
    [cited] = [event for event in events if event.type == "response.output_text.annotation.added"]
    assert (cited.item_id, cited.annotation_index) == ("msg_1", 0)


def test_parts_are_numbered_as_they_stand() -> None:
    events = [event for event in again(*ITEMS) if event.type.startswith("response.content_part")]
    assert [(event.type.rpartition(".")[2], event.content_index) for event in events] == [
        ("added", 0),
        ("done", 0),
        ("added", 1),
        ("done", 1),
    ]


def test_what_the_next_turn_is_sent_is_the_same_to_the_letter() -> None:
    """Null where nothing was set would be another question, and some providers refuse it."""
    live = [item.model_dump(exclude_unset=True) for item in ITEMS]
    said = [item.model_dump(exclude_unset=True) for item in again(*ITEMS)[-1].response.output]
    assert said == live
    assert said[2]["provider_data"] == "kept"


def test_a_field_whose_name_is_a_keyword_comes_back_under_its_own_name() -> None:
    call = ResponseFunctionToolCall.model_validate(
        {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}", "async": True}
    )
    assert again(call)[-1].response.output[0].async_ is True


def test_a_response_without_output_is_created_and_completed() -> None:
    assert [event.type for event in again()] == ["response.created", "response.completed"]


async def test_chatkit_makes_the_same_message_of_it_as_of_the_live_response() -> None:
    """`response.completed` alone would show nothing: its items come from the events before it."""
    plain = ResponseOutputText(type="output_text", text="Look: here.", annotations=[])
    message = ITEMS[1].model_copy(update={"content": [plain]})
    live = await heard(ScriptedModel([ModelStep(output=[message])]))
    assert await shown(live) == await shown(again(message)) == [("Look: here.", [])]


async def test_a_citation_is_shown_again() -> None:
    [(text, titles)] = await shown(again(ITEMS[1].model_copy(update={"content": [ITEMS[1].content[0]]})))  # type: ignore[union-attr]
    assert (text, titles) == ("Look: here.", ["t"])


class NoStore:
    """A thread without items."""

    async def load_thread_items(self, *_: Any, **__: Any) -> Page[Any]:
        return Page()

    def generate_item_id(self, kind: str, *_: Any) -> str:
        return kind


class Repeating(Model):
    """Says these raw events as they are."""

    def __init__(self, events: list[Any]) -> None:
        self._events = events

    async def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        for event in self._events:
            yield event

    async def get_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


async def shown(events: list[Any]) -> list[tuple[str, list[str]]]:
    """The messages that ChatKit's own converter makes of these raw events: text, and titles of what it cites."""
    store: Any = NoStore()
    thread = ThreadMetadata(id="thr_1", created_at=DAY)
    context: AgentContext[None] = AgentContext(thread=thread, store=store, request_context=None)
    result = Runner.run_streamed(Agent("a", model=Repeating(events)), "go", context=context)
    told = [event async for event in stream_agent_response(context, result)]
    items = [event.item for event in told if event.type == "thread.item.done"]
    parts = [part for item in items if item.type == "assistant_message" for part in item.content]
    return [(part.text, [note.source.title for note in part.annotations]) for part in parts]
