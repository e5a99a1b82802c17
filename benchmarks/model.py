"""The model that all contenders ask: it says what the last message orders, at the pace that it orders.

`200 deltas`, `200 deltas at 50 a second`, `silence for 60 seconds`. Each delta carries the moment it was made, in
microseconds of the monotonic clock, which all processes of a machine share: a client knows how late it is.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

_ORDER = re.compile(r"(\d+) deltas(?: at (\d+) a second)?")
_SILENCE = re.compile(r"silence for (\d+) seconds")
USAGE = ResponseUsage(
    input_tokens=10,
    input_tokens_details=InputTokensDetails(cached_tokens=0, cache_write_tokens=0),
    output_tokens=200,
    output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
    total_tokens=210,
)


def order(deltas: int, *, per_second: int | None = None) -> str:
    """The message that orders so many deltas."""
    return f"{deltas} deltas" + (f" at {per_second} a second" if per_second else "")


class MeteredModel(Model):
    """Costs as little as a model can: what is measured is what stands around it."""

    async def get_response(self, *arguments: Any, **options: Any) -> ModelResponse:
        raise NotImplementedError("the contenders stream")

    async def stream_response(
        self, system_instructions: str | None, input: Any, *_: Any, **__: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        asked = _last_text(input)
        if silence := _SILENCE.search(asked):
            await asyncio.sleep(int(silence[1]))
        found = _ORDER.search(asked)
        count, per_second = (int(found[1]), int(found[2] or 0)) if found else (1, 0)
        async for event in _said(count, per_second):
            yield event


async def _said(count: int, per_second: int) -> AsyncIterator[TResponseStreamEvent]:
    message = ResponseOutputMessage(
        id=f"msg_{uuid4().hex}", content=[], role="assistant", status="in_progress", type="message"
    )
    response = _response([])
    yield ResponseCreatedEvent(type="response.created", sequence_number=0, response=response)
    yield ResponseOutputItemAddedEvent(
        type="response.output_item.added", sequence_number=1, output_index=0, item=message
    )
    empty = ResponseOutputText(type="output_text", text="", annotations=[])
    place: dict[str, Any] = {"item_id": message.id, "output_index": 0, "content_index": 0}
    yield ResponseContentPartAddedEvent(type="response.content_part.added", sequence_number=2, part=empty, **place)
    words, begun = [], time.perf_counter()
    for number in range(count):
        if per_second:
            await asyncio.sleep(max(0.0, begun + number / per_second - time.perf_counter()))
        elif number % 8 == 7:
            # A network's chunks give way to other tasks; a loop that never does would be nobody's.
            await asyncio.sleep(0)
        words.append(f"w {time.perf_counter_ns() // 1000} ")
        yield ResponseTextDeltaEvent(
            type="response.output_text.delta", sequence_number=3 + number, delta=words[-1], logprobs=[], **place
        )
    text = "".join(words)
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    yield ResponseTextDoneEvent(
        type="response.output_text.done", sequence_number=3 + count, text=text, logprobs=[], **place
    )
    yield ResponseContentPartDoneEvent(type="response.content_part.done", sequence_number=4 + count, part=part, **place)
    done = message.model_copy(update={"content": [part], "status": "completed"})
    yield ResponseOutputItemDoneEvent(
        type="response.output_item.done", sequence_number=5 + count, output_index=0, item=done
    )
    yield ResponseCompletedEvent(type="response.completed", sequence_number=6 + count, response=_response([done]))


def _response(output: list[Any]) -> Response:
    return Response(
        id=f"resp_{uuid4().hex}",
        created_at=time.time(),
        model="metered",
        object="response",
        output=output,
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=[],
        status="completed" if output else "in_progress",
        usage=USAGE if output else None,
    )


def _last_text(asked: Any) -> str:
    """The text of the last message in the model's input."""
    if isinstance(asked, str):
        return asked
    content = asked[-1].get("content", "") if asked else ""
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
