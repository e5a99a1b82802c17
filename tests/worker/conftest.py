"""The model endpoint, started once; and models that talk to it over HTTP."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agents import Model

from shared.database import Database
from shared.settings import Settings
from tests.model_endpoint import Endpoint, running_endpoint
from tests.worker.carrying import Talk, todo_server
from worker.model import build_model
from worker.responder import TodoServer

SettingsWith = Callable[..., Settings]


@pytest.fixture(scope="session")
def _endpoint() -> Iterator[Endpoint]:
    with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(_endpoint: Endpoint) -> Endpoint:
    """An OpenAI-compatible server without a script."""
    _endpoint.reset()
    return _endpoint


@pytest.fixture
def settings_with() -> SettingsWith:
    """Settings of these alone, whatever the environment says."""

    def build(**settings: object) -> Settings:
        absent = dict.fromkeys(("model", "model_base_url", "openai_api_key", "gemini_api_key", "gemini_model"))
        servers = {"database_url": "postgresql://nowhere", "redis_url": "redis://nowhere"}
        values: dict[str, Any] = {**absent, **servers, **settings}
        return Settings(_env_file=None, **values)

    return build


@pytest.fixture
def openai_settings(endpoint: Endpoint, settings_with: SettingsWith) -> Settings:
    """The model `test` of the endpoint."""
    return settings_with(model="test", model_base_url=endpoint.url)


@pytest.fixture
def gemini_settings(endpoint: Endpoint, settings_with: SettingsWith) -> Settings:
    """The same server by Gemini's own protocol."""
    return settings_with(gemini_api_key="key", gemini_model="gemini-2.5-flash", model_base_url=endpoint.gemini_url)


@pytest.fixture
async def model(openai_settings: Settings) -> AsyncIterator[Model]:
    """A model over HTTP, through LiteLLM."""
    built = build_model(openai_settings)
    yield built
    await built.close()


@pytest.fixture
async def talking(database: Database, tmp_path: Path) -> AsyncIterator[Callable[..., Talk]]:
    """Makes a conversation with the default server, on the model that the settings name."""
    servers: list[TodoServer] = []

    def begin(settings: Settings, **options: Any) -> Talk:
        servers.append(todo_server(database, settings, tmp_path, **options))
        return Talk(database, servers[-1])

    yield begin
    for server in servers:
        await server.models.close()


@pytest.fixture(params=["openai", "gemini"])
async def any_model(
    request: pytest.FixtureRequest, openai_settings: Settings, gemini_settings: Settings
) -> AsyncIterator[Model]:
    """The same by each protocol."""
    built = build_model(openai_settings if request.param == "openai" else gemini_settings)
    yield built
    await built.close()
