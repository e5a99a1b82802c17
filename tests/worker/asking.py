"""How the tests put a question to a model, without an agent around it."""

from collections.abc import AsyncIterator
from typing import Any

from agents import FunctionTool, Model, ModelResponse, ModelSettings, ModelTracing
from agents.items import TResponseInputItem, TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItem,
)

Input = str | list[TResponseInputItem]


def asked(
    model: Model, question: Input = "hello", *, tools: tuple[str, ...] = ()
) -> AsyncIterator[TResponseStreamEvent]:
    """The model's events."""
    return model.stream_response(*_call(question, tools), previous_response_id=None, conversation_id=None, prompt=None)


async def answered(model: Model, question: Input = "hello", *, tools: tuple[str, ...] = ()) -> ModelResponse:
    """The model's whole response."""
    call = _call(question, tools)
    return await model.get_response(*call, previous_response_id=None, conversation_id=None, prompt=None)


async def heard(model: Model, question: Input = "hello", *, tools: tuple[str, ...] = ()) -> list[TResponseStreamEvent]:
    return [event async for event in asked(model, question, tools=tools)]


def text_of(events: list[TResponseStreamEvent]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def calls_of(events: list[TResponseStreamEvent]) -> list[ResponseFunctionToolCall]:
    """The tool calls of the completed response."""
    last = events[-1]
    assert last.type == "response.completed"
    return [item for item in last.response.output if isinstance(item, ResponseFunctionToolCall)]


def completed(*output: ResponseOutputItem) -> ResponseCompletedEvent:
    """The end of a response with this output, and without a count of tokens."""
    whole = {"output": list(output), "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    response = Response(id="r", created_at=0, model="m", object="response", **whole)
    return ResponseCompletedEvent(type="response.completed", response=response, sequence_number=9)


def tool(name: str) -> FunctionTool:
    """A tool to be offered, never run."""

    async def never(*_: Any) -> str:
        raise AssertionError

    return FunctionTool(name, name, {"type": "object", "properties": {}}, never, strict_json_schema=False)


def _call(question: Input, tools: tuple[str, ...]) -> tuple[Any, ...]:
    offered = [tool(name) for name in tools]
    return (None, question, ModelSettings(), offered, None, [], ModelTracing.DISABLED)
