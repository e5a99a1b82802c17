"""A stream of model events, taken for its end: the whole response."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from agents import ModelResponse, Usage
from agents.items import TResponseStreamEvent
from openai.types.responses import Response, ResponseCompletedEvent


async def whole_response(events: AsyncIterator[TResponseStreamEvent]) -> ModelResponse:
    """What the stream ends with. Raises what the stream raises, and EOFError where it never completes."""
    async with aclosing(cast(AsyncGenerator[TResponseStreamEvent], events)):
        async for event in events:
            if isinstance(event, ResponseCompletedEvent):
                whole = event.response
                return ModelResponse(output=whole.output, usage=_usage(whole), response_id=whole.id)
    raise EOFError("the stream ended without response.completed")


def _usage(response: Response) -> Usage:
    counted = response.usage
    if counted is None:
        return Usage(requests=1)
    return Usage(
        requests=1,
        input_tokens=counted.input_tokens,
        output_tokens=counted.output_tokens,
        total_tokens=counted.total_tokens,
        input_tokens_details=counted.input_tokens_details,
        output_tokens_details=counted.output_tokens_details,
    )
