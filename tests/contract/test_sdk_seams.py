"""What is taken from the SDKs beyond their published interface: an upgrade that changes it fails here first."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, get_args

import agents.run
import chatkit.agents
import pytest
from agents import Agent, RunConfig, RunHooks, Runner
from agents.items import TResponseStreamEvent
from agents.models.fake_id import FAKE_RESPONSES_ID
from agents.run import AgentRunner, get_default_agent_runner, set_default_agent_runner
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ChatKitReq,
    HiddenContextItem,
    StructuredInputItem,
    StructuredInputSubmission,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
)

from api.continuation import answered
from shared.wire import to_wire
from tests.contract.baseline.store import MemoryStore
from tests.contract.servers.gallery import gallery
from tests.contract.servers.shop import ShopServer
from worker.scripted.rules import RuleModel
from worker.scripted.turn import Speech

pytestmark = pytest.mark.anyio

CONTEXT = {"user_id": "ann", "locale": None}


class Saying(ChatKitServer[dict[str, Any]]):
    """Yields the events it is given; keeps what it is told of a cancellation."""

    def __init__(self, *events: Any) -> None:
        super().__init__(MemoryStore())
        self.events, self.pending = events, list[ThreadItem]()

    async def respond(self, thread: ThreadMetadata, *_: Any) -> AsyncIterator[ThreadStreamEvent]:
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            if event == "wait":
                await asyncio.Event().wait()
            elif event == "title":
                thread.title = "A title"
            else:
                yield event

    async def handle_stream_cancelled(self, thread: Any, pending_items: list[ThreadItem], context: Any) -> None:
        self.pending = pending_items

    async def events_of(self, thread: ThreadMetadata) -> list[ThreadStreamEvent]:
        await self.store.save_thread(thread, CONTEXT)
        return [event async for event in self._process_events(thread, CONTEXT, lambda: self.respond(thread))]

    async def stored(self) -> list[str]:
        page = await self.store.load_thread_items("thr", None, 50, "asc", CONTEXT)
        return [item.id for item in page.data]


def thread() -> ThreadMetadata:
    return ThreadMetadata(id="thr", created_at=datetime.now())


def message(item_id: str, text: str = "text") -> AssistantMessageItem:
    content = [AssistantMessageContent(text=text)]
    return AssistantMessageItem(id=item_id, thread_id="thr", created_at=datetime.now(), content=content)


def test_the_inner_door_has_its_shape() -> None:
    assert list(inspect.signature(ChatKitServer._process_events).parameters) == ["self", "thread", "context", "stream"]
    assert inspect.isasyncgenfunction(ChatKitServer._process_events)


async def test_the_inner_door_stores_what_is_done_removed_and_replaced() -> None:
    server = Saying(
        ThreadItemDoneEvent(item=message("one")),
        ThreadItemDoneEvent(item=message("two")),
        ThreadItemRemovedEvent(item_id="one"),
        ThreadItemReplacedEvent(item=message("two", "new")),
        ThreadItemAddedEvent(item=message("open")),
    )
    said = await server.events_of(thread())
    assert [event.type for event in said] == [
        "stream_options",
        "thread.item.done",
        "thread.item.done",
        "thread.item.removed",
        "thread.item.replaced",
        "thread.item.added",
    ]
    assert await server.stored() == ["two"]


async def test_the_inner_door_stores_before_it_tells() -> None:
    server = Saying(ThreadItemDoneEvent(item=message("one")))
    await server.store.save_thread(thread(), CONTEXT)
    async for event in server._process_events(thread(), CONTEXT, lambda: server.respond(thread())):
        if event.type == "thread.item.done":
            assert await server.stored() == ["one"]


async def test_the_inner_door_keeps_hidden_items_to_itself() -> None:
    hidden = HiddenContextItem(id="hid", thread_id="thr", created_at=datetime.now(), content="secret")
    server = Saying(ThreadItemDoneEvent(item=hidden))
    assert [event.type for event in await server.events_of(thread())] == ["stream_options"]
    assert await server.stored() == ["hid"]


async def test_the_inner_door_tells_of_a_changed_thread() -> None:
    said = await Saying("title", ThreadItemDoneEvent(item=message("one"))).events_of(thread())
    assert [event.type for event in said] == ["stream_options", "thread.item.done", "thread.updated"]


async def test_the_inner_door_turns_exceptions_into_error_events() -> None:
    broken = await Saying(RuntimeError("secret")).events_of(thread())
    refused = await Saying(CustomStreamError("read this", allow_retry=True)).events_of(thread())
    assert b"secret" not in to_wire(broken[-1])
    assert json.loads(to_wire(broken[-1])) == {"type": "error", "code": "stream.error", "allow_retry": True}
    assert json.loads(to_wire(refused[-1]))["message"] == "read this"


async def test_the_inner_door_tells_the_server_of_a_cancellation_with_what_was_open() -> None:
    server = Saying(ThreadItemAddedEvent(item=message("open")), "wait")
    seen = asyncio.Event()

    async def listen() -> None:
        await server.store.save_thread(thread(), CONTEXT)
        async for event in server._process_events(thread(), CONTEXT, lambda: server.respond(thread())):
            if event.type == "thread.item.added":
                seen.set()

    listening = asyncio.create_task(listen())
    await seen.wait()
    await asyncio.sleep(0)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert [item.id for item in server.pending] == ["open"]


async def test_our_bytes_are_the_sdks_bytes() -> None:
    server = Saying()
    async for event in gallery(thread()):
        assert to_wire(event) == server._serialize(event)


def test_every_request_and_item_type_is_known_to_us() -> None:
    requests = {one.model_fields["type"].default for one in get_args(get_args(ChatKitReq)[0])}
    items = {one.model_fields["type"].default for one in get_args(get_args(ThreadItem)[0])}
    assert len(requests) == 16
    assert len(items) == 11
    assert len(get_args(get_args(ThreadStreamEvent)[0])) == 12


@pytest.mark.parametrize("status", ["answered", "skipped"])
async def test_answers_are_recorded_as_the_sdk_records_them(status: str) -> None:
    options = [{"value": "tea"}, {"value": "coffee"}]
    inputs = [
        {"id": "one", "type": "multiple_choice", "question": "?", "options": options},
        {"id": "many", "type": "multiple_choice", "question": "?", "options": options, "multiple": True},
        {"id": "free", "type": "freeform", "question": "?"},
        {"id": "empty", "type": "freeform", "question": "?"},
        {"id": "skipped", "type": "freeform", "question": "?"},
        {"id": "missing", "type": "freeform", "question": "?"},
    ]
    item = {"id": "si", "type": "structured_input", "thread_id": "thr", "created_at": "2026-01-01T00:00:00"}
    both = {"values": ["tea", "coffee"]}
    answers = {"one": both, "many": both, "free": {"values": ["x"]}, "empty": {}, "skipped": {"skipped": True, **both}}
    submission = StructuredInputSubmission.model_validate({"status": status, "answers": {**answers, "other": both}})
    pending = StructuredInputItem.model_validate({**item, "inputs": inputs})
    theirs = await Saying()._apply_structured_input_submission(pending, submission)
    ours = answered(json.loads(to_wire(pending)), submission)
    assert ours == json.loads(to_wire(theirs))


def test_the_runner_seam_has_its_shape() -> None:
    assert list(inspect.signature(set_default_agent_runner).parameters) == ["runner"]
    for method in (AgentRunner.run, AgentRunner.run_streamed):
        assert list(inspect.signature(method).parameters) == ["self", "starting_agent", "input", "kwargs"]
    assert agents.run.DEFAULT_AGENT_RUNNER is get_default_agent_runner()
    assert {"model", "model_settings", "call_model_input_filter"} <= set(RunConfig.__dataclass_fields__)


async def test_every_runner_call_goes_through_the_default_runner() -> None:
    asked: list[str] = []

    class Listening(AgentRunner):
        async def run(self, starting_agent: Any, input: Any, **kwargs: Any) -> Any:
            asked.append("run")
            return await super().run(starting_agent, input, **kwargs)

        def run_streamed(self, starting_agent: Any, input: Any, **kwargs: Any) -> Any:
            asked.append("run_streamed")
            return super().run_streamed(starting_agent, input, **kwargs)

    before = get_default_agent_runner()
    set_default_agent_runner(Listening())
    try:
        agent = Agent(name="a", model=RuleModel(lambda _: Speech("hello")))
        assert (await Runner.run(agent, "hi")).final_output == "hello"
        result = Runner.run_streamed(agent, "hi", hooks=RunHooks())
        assert [event.type async for event in result.stream_events()]
        result.cancel()
    finally:
        set_default_agent_runner(before)
    assert asked == ["run", "run_streamed"]


async def test_an_agents_stream_is_converted_by_the_sdk_from_response_events() -> None:
    server = ShopServer(MemoryStore())
    await server.store.save_thread(thread(), CONTEXT)
    context: AgentContext[Any] = AgentContext(thread=thread(), store=server.store, request_context=CONTEXT)
    assert {"thread", "store", "request_context", "client_tool_call", "workflow_item"} <= set(AgentContext.model_fields)
    assert isinstance(context._events, asyncio.Queue)
    agent: Agent[Any] = Agent(name="a", model=RuleModel(lambda _: Speech("one two", thoughts="hm")))
    result = Runner.run_streamed(agent, "hi", context=context)
    types = [event.type async for event in stream_agent_response(context, result)]
    shown = [name for name in types if name != "thread.item.updated"]
    assert shown == ["thread.item.added", "thread.item.done", "thread.item.added", "thread.item.done"]


async def test_the_merging_that_we_stand_in_for_is_the_sdks() -> None:
    source = inspect.getsource(chatkit.agents.stream_agent_response)
    assert "_merge_generators(result.stream_events(), queue_iterator)" in source
    spoken = chatkit.agents._AsyncQueueIterator(asyncio.Queue())
    assert spoken.completed is False
    spoken.queue.put_nowait(chatkit.agents._QueueCompleteSentinel())
    assert [event async for event in spoken] == []
    assert spoken.completed is True
    assert chatkit.agents._EventWrapper("said").event == "said"  # type: ignore[arg-type]


def test_what_chat_completions_models_call_their_messages() -> None:
    assert FAKE_RESPONSES_ID == "__fake_id__"


def test_the_response_events_that_the_journal_replays_are_there() -> None:
    events = get_args(get_args(TResponseStreamEvent)[0])
    known = {name for one in events for name in get_args(one.model_fields["type"].annotation)}
    assert {
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.reasoning_summary_text.delta",
        "response.output_item.done",
        "response.completed",
    } <= known
