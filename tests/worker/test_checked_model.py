"""A model's duties, over real HTTP through LiteLLM, and on models that misbehave as no server does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

import pytest
from agents import Agent, Model, ModelResponse, Runner, UserError
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from agents.result import RunResultStreaming
from openai.types.responses import ResponseErrorEvent

from shared.settings import Settings
from tests.model_endpoint import PROVIDER_SECRET, Call, Endpoint, Failure, Hang, Reply, Text
from tests.worker.asking import answered, asked, calls_of, heard, text_of
from tests.worker.conftest import SettingsWith
from worker.checked_model import (
    CheckedModel,
    ModelBusy,
    ModelError,
    ModelIncomplete,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
)
from worker.model import build_model

pytestmark = pytest.mark.anyio

ONE_TO_FOUR = Text("one two three four")


@pytest.fixture
def impatient(openai_settings: Settings) -> Model:
    """Waits a third of a second for the next event."""
    return build_model(openai_settings.model_copy(update={"model_idle_timeout": 0.3}))


async def test_a_text_is_streamed_word_by_word_and_completed_with_its_usage(model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(ONE_TO_FOUR.thinking("let me see"))
    events = await heard(model)
    assert text_of(events) == "one two three four"
    assert [e.delta for e in events if e.type == "response.reasoning_summary_text.delta"] == ["let ", "me ", "see"]
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.usage is not None
    assert events[-1].response.usage.total_tokens == 18
    assert endpoint.requests[-1].body["stream_options"] == {"include_usage": True}


async def test_a_call_split_over_three_deltas_is_one_call(model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(Call("add_task", {"title": "buy milk"}, id="call_1"))
    events = await heard(model, tools=("add_task",))
    assert len([e for e in events if e.type == "response.function_call_arguments.delta"]) == 3
    assert [(c.call_id, c.name, c.arguments) for c in calls_of(events)] == [
        ("call_1", "add_task", '{"title": "buy milk"}')
    ]


async def test_the_whole_response_is_had_from_the_stream_too(model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(ONE_TO_FOUR)
    response = await answered(model)
    assert response.usage.total_tokens == 15
    assert endpoint.requests[-1].body["stream"] is True
    endpoint.replies(ONE_TO_FOUR.ends_at(2))
    with pytest.raises(ModelIncomplete):
        await answered(model)


@pytest.mark.parametrize(
    "reply",
    [ONE_TO_FOUR.ends_at(2), ONE_TO_FOUR.ends_at(4), ONE_TO_FOUR.breaks_at(2), ONE_TO_FOUR.garbles_at(2)],
    ids=["no finish reason", "all words but no finish reason", "connection dropped", "garbage"],
)
async def test_an_answer_that_breaks_off_is_never_completed(reply: Reply, any_model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(reply)
    events: list[TResponseStreamEvent] = []
    with pytest.raises(ModelIncomplete) as raised:
        await listen(asked(any_model), events)
    assert text_of(events).startswith("one two")
    assert "response.completed" not in {event.type for event in events}
    assert len(endpoint.requests) == 1, "nothing is retried after a first delta"
    assert_no_provider_text(raised.value)


@pytest.mark.parametrize("nothing", [ONE_TO_FOUR.ends_at(0), Text("")], ids=["an empty body", "an empty answer"])
async def test_saying_nothing_is_no_answer(nothing: Reply, any_model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(nothing)
    with pytest.raises((ModelIncomplete, ModelUnavailable)):
        await heard(any_model)


async def test_saying_nothing_is_an_answer_after_a_tool_result(any_model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(Text(""))
    call: Any = {"type": "function_call", "call_id": "c", "name": "add_task", "arguments": "{}"}
    result: Any = {"type": "function_call_output", "call_id": "c", "output": "{}"}
    assert text_of(await heard(any_model, [{"role": "user", "content": "add milk"}, call, result])) == ""


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (429, ModelBusy, 3),
        (500, ModelUnavailable, 3),
        (503, ModelUnavailable, 3),
        (400, ModelRefused, 1),
        (401, ModelRefused, 1),
        (404, ModelRefused, 1),
    ],
)
async def test_an_error_status_is_told_in_our_words(
    status: int, kind: type[ModelError], requests: int, model: Model, endpoint: Endpoint
) -> None:
    endpoint.default = Failure(status)
    with pytest.raises(kind) as raised:
        await heard(model)
    assert raised.value.status_code == status
    assert_no_provider_text(raised.value)
    assert len(endpoint.requests) == requests, "the provider's client retries, and nobody else"


async def test_a_server_that_is_not_there_is_unavailable(settings_with: SettingsWith) -> None:
    model = build_model(settings_with(model="test", model_base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(ModelUnavailable):
        await heard(model)


@pytest.mark.parametrize(
    "reply",
    [Hang(), ONE_TO_FOUR.hangs_at(0), ONE_TO_FOUR.hangs_at(3), ONE_TO_FOUR.hangs_at(3, keep_alive=True)],
    ids=["no headers", "no first token", "after three tokens", "with keep-alive comments"],
)
async def test_silence_ends_in_a_timeout_and_a_closed_connection(
    reply: Reply, impatient: Model, endpoint: Endpoint
) -> None:
    endpoint.default = reply
    with pytest.raises(ModelTimeout):
        await heard(impatient)
    assert await endpoint.left()
    assert len(endpoint.requests) == 1


async def test_a_slow_stream_is_not_a_silent_one(impatient: Model, endpoint: Endpoint) -> None:
    endpoint.replies(Text("one two three four five six").paced(0.1))
    assert text_of(await heard(impatient)) == "one two three four five six"


@pytest.mark.parametrize("leave", ["cancelled", "closed", "cancelled before the first word"])
async def test_the_connection_is_closed_when_the_listener_goes(
    leave: str, any_model: Model, endpoint: Endpoint
) -> None:
    endpoint.replies(ONE_TO_FOUR.waits_at(0) if "before" in leave else ONE_TO_FOUR.waits_at(2))
    stream = asked(any_model)
    if leave == "closed":
        async with aclosing(stream):  # type: ignore[type-var]
            async for event in stream:
                if event.type == "response.output_text.delta":
                    break
    else:
        listening = asyncio.create_task(listen(stream, []))
        await endpoint.reached(tokens=0 if "before" in leave else 2)
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
    left_at = time.time()
    closed = await endpoint.left()
    assert closed.closed_at is not None
    assert closed.closed_at - left_at < 1


async def test_the_sdk_passes_our_error_on(model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(ONE_TO_FOUR.ends_at(2))
    run = Runner.run_streamed(Agent("plain", model=model), "hello")
    with pytest.raises(ModelIncomplete):
        await drain(run)
    assert run.final_output is None


async def test_cancelling_a_run_of_the_sdk_closes_the_connection(any_model: Model, endpoint: Endpoint) -> None:
    endpoint.replies(ONE_TO_FOUR.waits_at(2))
    run = Runner.run_streamed(Agent("plain", model=any_model), "hello")
    draining = asyncio.create_task(drain(run))
    await endpoint.reached(tokens=2)
    run.cancel()
    cancelled_at = time.time()
    closed = await endpoint.left()
    await draining
    assert closed.closed_at is not None
    assert closed.closed_at - cancelled_at < 1


async def drain(run: RunResultStreaming) -> None:
    async for _ in run.stream_events():
        pass


class Says(Model):
    """A model that yields what it is given, and raises what is an exception."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.closed = False

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[TResponseStreamEvent]:
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed = True

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError


class Strange(Exception):
    """An exception that nobody knows."""


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (ModelBehaviorError(PROVIDER_SECRET), ModelIncomplete),
        (TimeoutError(PROVIDER_SECRET), ModelTimeout),
        (Strange(PROVIDER_SECRET), ModelError),
        (UserError("two tools of one name"), UserError),
    ],
)
async def test_any_exception_is_told_in_our_words_but_that_of_the_caller(
    raised: Exception, told: type[Exception]
) -> None:
    inner = Says(raised)
    with pytest.raises(told) as caught:
        await heard(CheckedModel(inner, idle_timeout=5))
    assert type(caught.value) is told
    assert inner.closed
    if isinstance(caught.value, ModelError):
        assert caught.value.cause == type(raised).__name__
        assert_no_provider_text(caught.value)


async def test_a_model_that_just_stops_is_incomplete() -> None:
    with pytest.raises(ModelIncomplete):
        await heard(CheckedModel(Says(), idle_timeout=5))


async def test_a_response_that_says_it_failed_is_incomplete() -> None:
    failed = ResponseErrorEvent(type="error", code=None, message=PROVIDER_SECRET, param=None, sequence_number=0)
    with pytest.raises(ModelIncomplete) as raised:
        await heard(CheckedModel(Says(failed), idle_timeout=5))
    assert_no_provider_text(raised.value)


async def listen(stream: AsyncIterator[TResponseStreamEvent], heard_so_far: list[TResponseStreamEvent]) -> None:
    async for event in stream:
        heard_so_far.append(event)


def assert_no_provider_text(error: BaseException) -> None:
    """Not in its words, not in its fields, and not by way of what it was raised from."""
    seen: BaseException | None = error
    while seen:
        assert PROVIDER_SECRET not in f"{seen} {seen.args} {vars(seen)}"
        seen = seen.__cause__ or seen.__context__
