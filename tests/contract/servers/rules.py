"""A model without a network: what it says follows from the conversation alone, so that a walk knows what to expect."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from agents import Model, ModelResponse
from agents.items import TResponseStreamEvent

from worker.model_response import whole_response
from worker.scripted.conversation import Conversation, read
from worker.scripted.events import events_of
from worker.scripted.turn import Turn


class RuleModel(Model):
    """Answers by the rule that it is given."""

    def __init__(self, rule: Callable[[Conversation], Turn]) -> None:
        self._rule = rule

    async def stream_response(
        self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        for event in events_of(self._rule(read(input)), model="rules", input_tokens=1):
            yield event

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return await whole_response(self.stream_response(*args, **kwargs))
