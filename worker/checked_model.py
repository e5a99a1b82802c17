"""A model that keeps its word: a whole answer or a typed error, bounded silence, distinct call ids, no open stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, closing
from typing import ClassVar, cast

from agents import AgentOutputSchemaBase, Handoff, Model, ModelResponse, ModelSettings, ModelTracing, Tool, UserError
from agents.exceptions import ModelBehaviorError
from agents.items import TResponseStreamEvent
from agents.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from openai import APITimeoutError
from openai.types.responses import ResponseCompletedEvent
from openai.types.responses.response_prompt_param import ResponsePromptParam
from typing_extensions import override

from shared.patience import Patience
from worker.call_ids import CallIds, ModelInput
from worker.model_response import whole_response

_LOOKED_INTO = {"response.output_item.added", "response.output_item.done", "response.completed"}
"""The rest, above all each word, is passed on unread."""
_BROKEN_OFF = {"response.incomplete", "response.failed", "response.error", "error"}


class ModelError(Exception):
    """The model did not answer. Its text is ours, for anyone to read; of the provider's error only two facts stay.

    `cause` is the name of the provider's exception class, `status_code` its HTTP status.
    """

    sentence: ClassVar[str] = "The model could not answer."

    def __init__(self, *, cause: str | None = None, status_code: int | None = None) -> None:
        super().__init__(self.sentence)
        self.cause = cause
        self.status_code = status_code


class ModelTimeout(ModelError):
    """Nothing came from the model for longer than it may be silent."""

    sentence = "The model stopped responding."


class ModelIncomplete(ModelError):
    """The answer broke off: what was streamed so far is not an answer."""

    sentence = "The model's answer broke off."


class ModelBusy(ModelError):
    """The provider asked for patience (429)."""

    sentence = "The model is busy right now."


class ModelUnavailable(ModelError):
    """The provider failed or could not be reached."""

    sentence = "The model is not available right now."


class ModelRefused(ModelError):
    """The provider did not accept the request: a bad key, an unknown model, too long a conversation."""

    sentence = "The model did not accept the request."


class CheckedModel(Model):
    """Wraps any model. Keeps no state between calls: one is shared by all runs of the process.

    `defaults` are the model settings of every call, under the agent's own; `release` is called by `close()`.
    """

    def __init__(
        self,
        inner: Model,
        *,
        idle_timeout: float,
        defaults: ModelSettings | None = None,
        release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._inner = inner
        self._idle_seconds = idle_timeout
        self._defaults = defaults or ModelSettings()
        self._release = release

    @override
    async def stream_response(
        self,
        system_instructions: str | None,
        input: ModelInput,
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
        """The inner model's events, ending with `response.completed`. Raises ModelError."""
        events = self._inner.stream_response(
            system_instructions,
            input,
            self._defaults.resolve(model_settings),
            tools,
            output_schema,
            handoffs,
            tracing,
            previous_response_id=previous_response_id,
            conversation_id=conversation_id,
            prompt=prompt,
        )
        ids, begun, said = CallIds(input), False, _ends_with_result(input)
        # Every model streams from an async generator; only its interface is declared as a mere iterator.
        async with aclosing(cast(AsyncGenerator[TResponseStreamEvent], events)):
            with closing(Patience(self._idle_seconds)) as patience:
                while event := await self._next(events, patience, begun=begun):
                    begun = True
                    if event.type not in _LOOKED_INTO:
                        yield event
                        continue
                    said = said or event.type == "response.output_item.done"
                    if not isinstance(event, ResponseCompletedEvent):
                        yield ids.distinct(event)
                    elif said or event.response.output:
                        yield ids.distinct(event)
                        return
                    else:
                        # LiteLLM completes a body that held nothing at all, too.
                        raise ModelIncomplete
        raise ModelIncomplete

    @override
    async def get_response(
        self,
        system_instructions: str | None,
        input: ModelInput,
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
        """The end of the stream: so the same silence is allowed, and the same half answers are refused."""
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

    @property
    def name(self) -> str:
        """What the inner model is called, where it says so; else what it is."""
        return str(getattr(self._inner, "model", type(self._inner).__name__))

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        return self._inner.get_retry_advice(request)

    async def close(self) -> None:
        await self._inner.close()
        if self._release:
            await self._release()

    async def _next(
        self, events: AsyncIterator[TResponseStreamEvent], patience: Patience, *, begun: bool
    ) -> TResponseStreamEvent | None:
        try:
            with patience:
                event = await anext(events, None)
        except (ModelError, UserError):
            raise
        except Exception as error:
            told = _told(error, begun=begun).with_traceback(error.__traceback__)
        else:
            if event is None or event.type not in _BROKEN_OFF:
                return event
            told = ModelIncomplete(cause=event.type)
        # Raised out here, the provider's exception is not even its context: its text may quote a prompt.
        raise told


def _ends_with_result(input: ModelInput) -> bool:
    """After a tool's result some models add nothing, and that is an answer."""
    last = input[-1] if input and not isinstance(input, str) else None
    return isinstance(last, Mapping) and last.get("type") == "function_call_output"


def _told(error: Exception, *, begun: bool) -> ModelError:
    """The provider's error in our words."""
    cause, status = type(error).__name__, getattr(error, "status_code", None)
    match error, status:
        case (TimeoutError() | APITimeoutError(), _) | (_, 408 | 504):
            kind: type[ModelError] = ModelTimeout
        case (_, 429):
            kind = ModelBusy
        case (ModelBehaviorError(), _):
            kind = ModelIncomplete
        case (_, int()) if begun:
            kind = ModelIncomplete
        case (_, int()) if 400 <= status < 500:
            kind = ModelRefused
        case (_, int()):
            kind = ModelUnavailable
        case _:
            kind = ModelError
    return kind(cause=cause, status_code=status if isinstance(status, int) else None)
