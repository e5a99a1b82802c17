"""Call ids over real HTTP, under the agents SDK, and in the event orders that a provider may choose."""

from typing import Any

import pytest
from agents import Agent, Model, Runner, function_tool
from agents.items import TResponseStreamEvent
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
)

from tests.model_endpoint import Call, Calls, Endpoint, Text
from tests.worker.asking import Input, calls_of, completed, heard
from worker.call_ids import CallIds

pytestmark = pytest.mark.anyio

MILK, BREAD = {"title": "milk"}, {"title": "bread"}


def ids_by_event(events: list[TResponseStreamEvent]) -> list[list[str]]:
    """The ids of the calls as `added`, `done` and `completed` give them."""
    added = [e.item for e in events if isinstance(e, ResponseOutputItemAddedEvent)]
    done = [e.item for e in events if isinstance(e, ResponseOutputItemDoneEvent)]
    calls = (added, done, calls_of(events))
    return [[i.call_id for i in items if isinstance(i, ResponseFunctionToolCall)] for items in calls]


@pytest.mark.parametrize("bad", ["", "call_0"], ids=["empty", "repeated"])
async def test_calls_of_one_response_are_distinct_in_every_event(bad: str, model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(Calls(Call("add_task", MILK, id=bad), Call("add_task", MILK, id=bad)))
    added, done, completed = ids_by_event(await heard(model, tools=("add_task",)))
    assert added == done == completed
    assert len(set(completed)) == 2
    assert all(completed)


async def test_good_ids_stay(model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(Calls(Call("add_task", MILK, id="a"), Call("add_task", MILK, id="b")))
    assert ids_by_event(await heard(model, tools=("add_task",))) == [["a", "b"]] * 3


async def test_an_id_of_the_conversation_is_not_used_again(model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(Call("add_task", BREAD, id="call_0"))
    earlier: Any = [
        {"role": "user", "content": "add milk and bread"},
        {"type": "function_call", "call_id": "call_0", "name": "add_task", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0", "output": "{}"},
    ]
    (call,) = calls_of(await heard(model, earlier, tools=("add_task",)))
    assert call.call_id != "call_0"


async def test_the_same_input_and_response_give_the_same_ids(model: Model, endpoint: Endpoint) -> None:
    endpoint.default = Calls(Call("add_task", MILK, id=""), Call("add_task", MILK, id=""))
    first = ids_by_event(await heard(model, tools=("add_task",)))
    assert ids_by_event(await heard(model, tools=("add_task",))) == first
    assert ids_by_event(await heard(model, "another question", tools=("add_task",))) != first


@pytest.mark.parametrize("bad", ["", "call_0"], ids=["empty", "repeated"])
async def test_the_sdk_runs_every_call_of_a_provider_with_bad_ids(bad: str, model: Model, endpoint: Endpoint) -> None:
    ran: list[str] = []

    @function_tool
    def add_task(title: str) -> str:
        ran.append(title)
        return "added"

    same = Call("add_task", MILK, id=bad)
    endpoint.replies(Calls(same, same), Calls(same, Call("add_task", BREAD, id=bad)), Text("Done."))
    result = Runner.run_streamed(Agent("todo", model=model, tools=[add_task]), "add milk three times, and bread")
    async for _ in result.stream_events():
        pass
    assert result.final_output == "Done."
    assert sorted(ran) == ["bread", "milk", "milk", "milk"]
    told = [message["tool_call_id"] for message in endpoint.requests[-1].messages if message["role"] == "tool"]
    assert len(set(told)) == 4


def call_item(call_id: str, arguments: str = "{}") -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(type="function_call", call_id=call_id, name="add_task", arguments=arguments)


def done(index: int, item: ResponseFunctionToolCall) -> ResponseOutputItemDoneEvent:
    return ResponseOutputItemDoneEvent(
        type="response.output_item.done", item=item, output_index=index, sequence_number=index
    )


def renamed(earlier: Input, *events: TResponseStreamEvent) -> list[TResponseStreamEvent]:
    ids = CallIds(earlier)
    return [ids.distinct(event) for event in events]


async def test_a_call_keeps_its_name_when_it_has_another_place_in_the_completed_response() -> None:
    first, second = call_item("", '{"n": 1}'), call_item("", '{"n": 2}')
    one, two, whole = renamed("hello", done(0, first), done(2, second), completed(second, first))
    assert isinstance(one, ResponseOutputItemDoneEvent)
    assert isinstance(two, ResponseOutputItemDoneEvent)
    assert calls_of([whole]) == [two.item, one.item]


async def test_a_call_that_only_the_completed_response_shows_is_renamed_too() -> None:
    (whole,) = renamed("hello", completed(call_item("a"), call_item("a"), call_item("")))
    assert len({call.call_id for call in calls_of([whole])}) == 3


async def test_an_event_without_a_bad_id_is_passed_on_as_it_is() -> None:
    events: list[TResponseStreamEvent] = [done(0, call_item("a")), completed(call_item("a"))]
    assert all(new is old for new, old in zip(renamed("hello", *events), events, strict=True))
