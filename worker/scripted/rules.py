"""A model that follows a rule: what stands in for a network where a server is tried or tested without a key."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent

from worker.model_response import whole_response
from worker.scripted.conversation import Conversation, read
from worker.scripted.events import events_of
from worker.scripted.turn import Turn

Rule = Callable[[Conversation], Turn]


class RuleModel(Model):
    """What it says follows from the conversation alone."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    async def stream_response(
        self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        for event in events_of(self._rule(read(input)), model="rules", input_tokens=1):
            yield event

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return await whole_response(self.stream_response(*args, **kwargs))
