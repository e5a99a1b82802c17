"""The scripted model, as the agents SDK sees a model: it stands in for a network, and speaks at a model's pace."""

import asyncio
from collections.abc import AsyncIterator

from agents import AgentOutputSchemaBase, Handoff, Model, ModelResponse, ModelSettings, ModelTracing, Tool
from agents.items import TResponseInputItem, TResponseStreamEvent
from openai.types.responses.response_prompt_param import ResponsePromptParam
from typing_extensions import override

from worker.model_response import whole_response
from worker.scripted.conversation import read
from worker.scripted.events import events_of, words_of
from worker.scripted.turn import next_turn

SECONDS_PER_WORD = 0.03
"""About what a hosted model does; the story of 320 words takes some ten seconds."""


class Pace:
    """The one place where the scripted model waits: a word is due every so many seconds, by its own clock.

    A reader that stalls does not slow it down: the words it missed come at once, as from a network's buffer.
    """

    def __init__(self, seconds_per_word: float) -> None:
        self._seconds = seconds_per_word
        self._due = asyncio.get_running_loop().time()

    async def next_word(self) -> None:
        self._due += self._seconds
        await asyncio.sleep(max(0.0, self._due - asyncio.get_running_loop().time()))


class ScriptedModel(Model):
    """Understands a few plain sentences and calls the agent's real tools. Works from the input alone."""

    def __init__(self, *, seconds_per_word: float = SECONDS_PER_WORD) -> None:
        self._seconds_per_word = seconds_per_word

    @override
    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> AsyncIterator[TResponseStreamEvent]:
        turn = next_turn(read(input), {tool.name for tool in tools})
        pace = Pace(self._seconds_per_word)
        for event in events_of(turn, model="scripted", input_tokens=len(words_of(str(input)))):
            if event.type.endswith(".delta"):
                await pace.next_word()
            yield event

    @override
    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: ResponsePromptParam | None,
    ) -> ModelResponse:
        return await whole_response(
            self.stream_response(
                system_instructions,
                input,
                model_settings,
                tools,
                output_schema,
                handoffs,
                tracing,
                previous_response_id=previous_response_id,
                conversation_id=conversation_id,
                prompt=prompt,
            )
        )
