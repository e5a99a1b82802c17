"""The model of every `Runner` call: asks the agent's own model once, records what it said, and says it again.

Set as the run configuration's model, it overrides every agent's; the agent whose turn it is comes from the
runner's hook, and its own model is found as the SDK would have found it. Nothing of a response is shown as
done before the response is committed: `output_item.done` waits, text does not.
"""

import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from agents import Agent, Model, ModelResponse, ModelSettings, RunConfig
from agents.items import TResponseStreamEvent
from agents.models.default_models import get_default_model_settings
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
)
from opentelemetry.trace import Span
from pydantic_core import to_jsonable_python

from shared.tracing import pending, within
from shared.wire import clean
from worker.bounds import TooManyToolCalls
from worker.chat_completions import require_finish_reason
from worker.checked_model import CheckedModel
from worker.current_run import CurrentRun
from worker.journal import Journal
from worker.metrics import Usage
from worker.model_response import whole_response
from worker.replay import replayed
from worker.tokens import tokens_of


class JournalMismatch(Exception):
    """The recorded response was given to another question: a deploy changed the prompt. Never a mixed answer."""


_WEIGHTY = (ResponseOutputItemDoneEvent, ResponseCompletedEvent)
_BEFORE_ANY_WORD = {
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
}


@dataclass(slots=True)
class _Call:
    """One question to the agent's own model, and what is held back of its answer."""

    n: int
    fingerprint: str
    input: Any
    span: Span
    answered: Callable[[Usage | None], None]
    held: list[ResponseOutputItemDoneEvent] = field(default_factory=list)


class JournaledModel(Model):
    """One `Runner` call's models, at one path of the journal."""

    def __init__(
        self, journal: Journal, path: str, config: RunConfig, current: CurrentRun, *, idle_timeout: float
    ) -> None:
        self._journal, self._path, self.config, self._current = journal, path, config, current
        self._idle_timeout = idle_timeout
        self._agent: Agent[Any] | None = None
        self._n = -1

    def turn_of(self, agent: Agent[Any]) -> None:
        """The next model call is this agent's: the runner's hook says so just before it."""
        self._agent = agent
        self._n += 1

    async def stream_response(
        self,
        system_instructions: str | None,
        input: Any,
        model_settings: ModelSettings,
        tools: Any,
        output_schema: Any,
        handoffs: Any,
        tracing: Any,
        **options: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        self._require_within_bounds()
        n = self._n
        fingerprint = _fingerprint(self._agent, system_instructions, input, tools, handoffs, output_schema)
        recorded = self._journal.step(self._path, n)
        if recorded is not None:
            if recorded["fingerprint"] != fingerprint:
                raise JournalMismatch
            response = Response.model_validate(recorded["response"])
            self._learn(n, response)
            for said in replayed(response):
                yield said
            return
        self._current.pause_point()
        inner = self._inner()
        settings = self._settings(model_settings)
        events = inner.stream_response(
            system_instructions, input, settings, tools, output_schema, handoffs, tracing, **options
        )
        asked = {"gen_ai.request.model": inner.name, "journal.path": self._path}
        with pending("model call", asked) as span:
            async with self._current.meter.model_call() as answered, aclosing(cast(Any, events)) as stream:
                call, asked_at = _Call(n, fingerprint, input, span, answered), time.monotonic()
                event = await within(span, anext(stream, None))
                while event is not None and event.type in _BEFORE_ANY_WORD:
                    yield event
                    event = await anext(stream, None)
                span.set_attribute("first_token_ms", round(1000 * (time.monotonic() - asked_at)))
                for one in await self._kept(call, event):
                    yield one
                # A second loop, so that most of what follows, a word each, is asked one thing alone.
                async for event in stream:
                    if isinstance(event, _WEIGHTY):
                        for one in await self._kept(call, event):
                            yield one
                    else:
                        yield event

    async def _kept(self, call: "_Call", event: TResponseStreamEvent | None) -> list[TResponseStreamEvent]:
        """What may be said by now: a finished item waits until the response that it belongs to is committed."""
        match event:
            case None:
                return []
            case ResponseOutputItemDoneEvent():
                call.held.append(event)
                return []
            case ResponseCompletedEvent(response=response):
                if not response.output and call.held:
                    response.output = [done.item for done in call.held]
                call.answered(response.usage)
                if response.usage is not None:
                    call.span.set_attribute("gen_ai.usage.input_tokens", response.usage.input_tokens)
                    call.span.set_attribute("gen_ai.usage.output_tokens", response.usage.output_tokens)
                tokens = tokens_of(call.input, response) if self._current.bounds.counts_tokens else 0
                await self._journal.record_step(self._path, call.n, call.fingerprint, _dump(response), tokens)
                self._learn(call.n, response)
                return [*call.held, event]
            case _:
                return [event]

    async def get_response(self, *arguments: Any, **options: Any) -> ModelResponse:
        """A whole response at once, through the same journal."""
        return await whole_response(self.stream_response(*arguments, **options))

    def __getattr__(self, name: str) -> Any:
        # The SDK asks some models what they support: the agent's own model answers, once there is an agent.
        if self.__dict__.get("_agent") is None:
            raise AttributeError(name)
        return getattr(self._inner(), name)

    def _learn(self, n: int, response: Response) -> None:
        calls = [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]
        self._journal.learn_calls(self._path, n, [call.call_id for call in calls])
        self._require_within_bounds()

    def _require_within_bounds(self) -> None:
        # Before a model is asked as well: an agent that hears of it as its tool's failure must not go on.
        if self._journal.tool_calls > self._current.bounds.max_tool_calls:
            raise TooManyToolCalls

    def _inner(self) -> CheckedModel:
        """The model the SDK would have asked (agents.run_internal.turn_preparation.get_model)."""
        chosen = self.config.model or (self._agent.model if self._agent is not None else None)
        model = chosen if isinstance(chosen, Model) else self.config.model_provider.get_model(chosen)
        require_finish_reason(model)
        return model if isinstance(model, CheckedModel) else CheckedModel(model, idle_timeout=self._idle_timeout)

    def _settings(self, settings: ModelSettings) -> ModelSettings:
        """With the defaults of the agent's model, which the SDK leaves out for a model that is given as an object."""
        chosen = self.config.model or (self._agent.model if self._agent is not None else None)
        if isinstance(chosen, Model):
            return settings
        defaults = get_default_model_settings(chosen) if chosen else get_default_model_settings()
        untouched = self._agent is not None and self._agent.model_settings == defaults
        return defaults.resolve(settings) if untouched else settings


def _dump(response: Response) -> dict[str, Any]:
    """What was set and nothing else: the SDK sends a model every field that is, even a null one."""
    return response.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)


def _fingerprint(agent: Agent[Any] | None, *question: Any) -> str:
    """What the model was asked, as a hash: instructions, input, the names of tools and handoffs, the output type."""
    system_instructions, asked, tools, handoffs, output_schema = question
    parts = [
        agent.name if agent else None,
        system_instructions,
        to_jsonable_python(asked, fallback=str),
        [getattr(tool, "name", str(tool)) for tool in tools],
        [getattr(handoff, "tool_name", str(handoff)) for handoff in handoffs],
        output_schema.name() if output_schema else None,
    ]
    # Cleaned as the journal is: what it says again would be another question otherwise.
    return hashlib.sha256(json.dumps(clean(parts), sort_keys=True, default=str).encode()).hexdigest()
