"""Which model answers: the settings, turned into a model. The only file that imports litellm."""

import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import httpx
from agents import Model, ModelSettings, ModelTracing, set_tracing_disabled
from openai import AsyncOpenAI

from shared.settings import SCRIPTED, Settings
from worker.checked_model import CheckedModel, ModelError
from worker.gemini_stream import ask_plainly, require_finish
from worker.scripted import ScriptedModel

_CONNECT_SECONDS = 10.0
_NO_KEY = "no-key"
"""Servers of one's own often take any key, but OpenAI's client insists on one."""

_LOG_LEVELS = {
    **dict.fromkeys(("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"), logging.CRITICAL),
    **dict.fromkeys(("openai", "httpx", "httpx2", "httpcore", "httpcore2"), logging.WARNING),
}
"""Below these, they quote prompts and provider's errors."""


class UnusableModel(ValueError):
    """The settings name a model that cannot be called. Its text is for the operator."""


@dataclass(frozen=True)
class _Line:
    """The HTTP client of a provider, as each call is given it, and how to close it."""

    arguments: dict[str, Any]
    release: Callable[[], Awaitable[None]] | None = None


def build_model(settings: Settings) -> Model:
    """The default model, with all of a model's duties kept. Raises UnusableModel."""
    # Otherwise the SDK sends inputs and outputs of every run to OpenAI.
    set_tracing_disabled(True)
    if settings.model_name == SCRIPTED:
        return CheckedModel(ScriptedModel(), idle_timeout=settings.model_idle_timeout)
    litellm = _load_litellm()
    # Deferred: it imports litellm.
    from agents.extensions.models.litellm_model import LitellmModel  # noqa: PLC0415

    name = _full_name(settings, litellm)
    provider = _provider(name, litellm)
    api_key = _api_key(settings, name, provider)
    speaks_gemini = provider == "gemini" or (provider == "vertex_ai" and "gemini" in name)
    line = _line(settings, litellm, "gemini" if speaks_gemini else provider, api_key)
    return CheckedModel(
        LitellmModel(name, base_url=settings.model_base_url, api_key=api_key),
        idle_timeout=settings.model_idle_timeout,
        defaults=ModelSettings(include_usage=True, extra_args=line.arguments),
        release=line.release,
    )


async def warm_up(model: Model) -> None:
    """Make the first answer as quick as the next: LiteLLM imports most of itself at its first call.

    Nothing is sent: LiteLLM answers a mock in the provider's place.
    """
    mocked = ModelSettings(extra_args={"mock_response": "ready"})
    nothing: dict[str, None] = {"previous_response_id": None, "conversation_id": None, "prompt": None}
    with suppress(ModelError):
        said = model.stream_response(None, "ready?", mocked, [], None, [], ModelTracing.DISABLED, **nothing)
        async for _ in said:
            pass


def _load_litellm() -> ModuleType:
    """LiteLLM, imported on demand: it takes four seconds, which the scripted model need not wait for."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import fetches a price list
    os.environ["MAX_IMAGE_URL_DOWNLOAD_SIZE_MB"] = "0"  # else it downloads any URL a user names
    import litellm  # noqa: PLC0415

    litellm.disable_aiohttp_transport = True
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = True
    for name, level in _LOG_LEVELS.items():
        logging.getLogger(name).setLevel(level)
    return litellm


def _full_name(settings: Settings, litellm: ModuleType) -> str:
    """With a base URL, a name without a provider belongs to an OpenAI-compatible server."""
    name = settings.model_name
    if settings.model_base_url and name.partition("/")[0] not in litellm.provider_list:
        return f"openai/{name}"
    return name


def _provider(name: str, litellm: ModuleType) -> str:
    try:
        return str(litellm.get_llm_provider(name)[1])
    except litellm.BadRequestError:
        raise UnusableModel(
            f"MODEL={name}: LiteLLM knows no such model. Write provider/model (such as openai/{name}), "
            "or set MODEL_BASE_URL for an OpenAI-compatible server."
        ) from None


def _api_key(settings: Settings, name: str, provider: str) -> str | None:
    """The key among the settings; LiteLLM finds the other providers' keys in the environment by itself."""
    match provider:
        case "openai" if settings.openai_api_key:
            return settings.openai_api_key.get_secret_value()
        case "openai" if settings.model_base_url:
            return _NO_KEY
        case "gemini" if settings.gemini_api_key:
            return settings.gemini_api_key.get_secret_value()
        case "openai" | "gemini":
            raise UnusableModel(f"MODEL={name} needs {provider.upper()}_API_KEY.")
        case _:
            return None


def _line(settings: Settings, litellm: ModuleType, speaks: str, api_key: str | None) -> _Line:
    # Reading ends after the idle timeout of CheckedModel, which names the error; this is the net below it.
    read_seconds = settings.model_idle_timeout + 5
    timeout = httpx.Timeout(read_seconds, connect=_CONNECT_SECONDS)
    match speaks:
        case "openai":
            # LiteLLM's own client stops at 100 connections, and so at 100 runs; OpenAI's has 1,000 of them.
            client = AsyncOpenAI(api_key=api_key, base_url=settings.model_base_url)
            return _Line({"timeout": timeout, "client": client}, client.close)
        case "gemini":
            hooks = {"request": [ask_plainly], "response": [require_finish]}
            gemini = litellm.llms.custom_httpx.http_handler.AsyncHTTPHandler(timeout=timeout, event_hooks=hooks)
            return _Line({"timeout": timeout, "client": gemini}, gemini.close)
        case _:
            return _Line({"timeout": timeout})
