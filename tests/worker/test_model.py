"""Which model the settings give, and that LiteLLM behaves under it."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress

import pytest
from agents import Model, set_tracing_disabled
from agents.items import TResponseStreamEvent
from agents.tracing import get_trace_provider

from shared.settings import Settings
from tests.model_endpoint import PROVIDER_SECRET, Call, Endpoint, Failure, Text
from tests.worker.asking import asked, calls_of, heard, text_of
from tests.worker.conftest import SettingsWith
from worker.checked_model import ModelError
from worker.model import UnusableModel, build_model

pytestmark = pytest.mark.anyio

QUESTION = "a-question-that-no-log-may-hold"


async def test_a_bare_name_with_a_base_url_is_an_openai_compatible_server(
    endpoint: Endpoint, settings_with: SettingsWith
) -> None:
    for name, sent in [("llama3", "llama3"), ("some-team/llama3", "some-team/llama3"), ("openai/llama3", "llama3")]:
        model = build_model(settings_with(model=name, model_base_url=endpoint.url))
        await heard(model)
        await model.close()
        assert endpoint.requests[-1].body["model"] == sent


async def test_the_key_is_sent_where_there_is_one(endpoint: Endpoint, settings_with: SettingsWith) -> None:
    for key, sent in [("sk-mine", "Bearer sk-mine"), (None, "Bearer no-key")]:
        model = build_model(settings_with(model="test", model_base_url=endpoint.url, openai_api_key=key))
        await heard(model)
        await model.close()
        assert endpoint.requests[-1].headers["authorization"] == sent


async def test_gemini_needs_its_key_and_nothing_else(gemini_settings: Settings, endpoint: Endpoint) -> None:
    model = build_model(gemini_settings)
    endpoint.replies(Call("add_task", {"title": "milk"}))
    (call,) = calls_of(await heard(model, tools=("add_task",)))
    assert call.arguments == '{"title": "milk"}'
    assert endpoint.requests[-1].headers["x-goog-api-key"] == "key"
    await model.close()


async def test_geminis_thought_signature_comes_back_to_it(gemini_settings: Settings, endpoint: Endpoint) -> None:
    model = build_model(gemini_settings)
    endpoint.replies(Call("add_task", {"title": "milk"}), Text("Done."))
    (call,) = calls_of(await heard(model, tools=("add_task",)))
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "{}"}
    question = {"role": "user", "content": "add milk"}
    await heard(model, [question, call.model_dump(exclude_unset=True), output], tools=("add_task",))  # type: ignore[list-item]
    assert "signature of add_task" in str(endpoint.requests[-1].body)
    await model.close()


async def test_the_scripted_model_answers_where_there_is_no_key(settings_with: SettingsWith) -> None:
    async with aclosing(asked(build_model(settings_with()))) as events:  # type: ignore[type-var]
        said = [event async for event in until("model key", events)]
    assert text_of(said).startswith("*This is a demo: no model key")


async def test_the_scripted_model_does_not_wait_for_litellm() -> None:
    """It takes four seconds to import; the page that a newcomer opens must not."""
    check = (
        "import sys; from shared.settings import Settings; from worker.model import build_model;"
        "build_model(Settings(_env_file=None, model='scripted', database_url='postgresql://n', redis_url='redis://n'));"
        "sys.exit('litellm' in sys.modules)"
    )
    finished = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", check], check=False)
    assert finished.returncode == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": "no-such-model"}, "MODEL=no-such-model: LiteLLM knows no such model"),
        ({"model": "openai/gpt-4o"}, "needs OPENAI_API_KEY"),
        ({"model": "gpt-4o"}, "needs OPENAI_API_KEY"),
        ({"model": "gemini/gemini-2.5-flash"}, "needs GEMINI_API_KEY"),
    ],
)
def test_a_model_that_cannot_be_called_is_refused_at_the_start(
    settings: dict[str, str], sentence: str, settings_with: SettingsWith
) -> None:
    with pytest.raises(UnusableModel, match=sentence):
        build_model(settings_with(**settings))


async def test_no_log_holds_a_prompt_or_a_provider_s_text(
    any_model: Model, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.replies(Text("an-answer-that-no-log-may-hold"), Text("one two").garbles_at(1))
    endpoint.default = Failure(400)
    for _ in range(3):
        with suppress(ModelError):
            await heard(any_model, QUESTION)
    written = caplog.text + "".join(capfd.readouterr())
    assert len(endpoint.requests) == 3
    assert not [text for text in (QUESTION, PROVIDER_SECRET, "an-answer-that") if text in written]


async def test_nothing_is_traced_and_nothing_downloaded(settings_with: SettingsWith, openai_settings: Settings) -> None:
    for settings in (settings_with(), openai_settings):
        set_tracing_disabled(False)
        build_model(settings)
        assert get_trace_provider().create_trace("a run").export() is None
    assert os.environ["MAX_IMAGE_URL_DOWNLOAD_SIZE_MB"] == "0"
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"


async def test_more_runs_than_a_hundred_stream_at_once(model: Model, endpoint: Endpoint) -> None:
    """HTTP clients stop at 100 connections by default, and the others would wait in silence."""
    endpoint.default = Text("one two").waits_at(1)
    streams = [asyncio.create_task(heard(model)) for _ in range(110)]
    await endpoint.asked(110)
    endpoint.release()
    assert {text_of(events) for events in await asyncio.gather(*streams)} == {"one two"}


async def until(words: str, events: AsyncIterator[TResponseStreamEvent]) -> AsyncIterator[TResponseStreamEvent]:
    """The events up to the one that completes the words."""
    said: list[TResponseStreamEvent] = []
    async for event in events:
        said.append(event)
        yield event
        if words in text_of(said):
            return
