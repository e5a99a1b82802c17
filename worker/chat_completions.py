"""The SDK's own chat-completions model, held to the end of its stream.

Its stream handler completes a response whatever the stream ended with; one that ends without a finish reason
was cut, and half an answer must not stand as a whole one.
"""

from collections.abc import AsyncIterator
from typing import Any

from agents import Model, OpenAIChatCompletionsModel
from openai.types.chat import ChatCompletionChunk

from worker.checked_model import ModelIncomplete


def require_finish_reason(model: Model) -> None:
    """Make this model raise ModelIncomplete at the end of a cut stream; once, and nothing for other models."""
    if not isinstance(model, OpenAIChatCompletionsModel) or "_fetch_response" in model.__dict__:
        return
    fetch: Any = model._fetch_response

    async def fetch_checked(*arguments: Any, **options: Any) -> Any:
        fetched = await fetch(*arguments, **options)
        if not isinstance(fetched, tuple):
            return fetched
        response, stream = fetched
        return response, _Finished(stream)

    model._fetch_response = fetch_checked  # type: ignore[method-assign]


class _Finished:
    """A stream of chunks that must name a finish reason."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aiter__(self) -> AsyncIterator[ChatCompletionChunk]:
        finished = False
        async for chunk in self._stream:
            finished = finished or any(choice.finish_reason for choice in chunk.choices)
            yield chunk
        if not finished:
            raise ModelIncomplete
