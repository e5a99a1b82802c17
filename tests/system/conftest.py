"""Houses for the system tests: one whose model is an OpenAI-compatible endpoint over HTTP."""

from collections.abc import Iterator

import pytest

from tests.house import House, Servers, house_of
from tests.model_endpoint import Endpoint, running_endpoint


@pytest.fixture(scope="session")
def model() -> Iterator[Endpoint]:
    """The endpoint that the `modelled` house's models live at."""
    with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def modelled_house(servers: Servers, model: Endpoint) -> Iterator[House]:
    """Two APIs and two workers that ask the endpoint through LiteLLM."""
    env = {"MODEL": "gpt-test", "MODEL_BASE_URL": model.url, "MODEL_IDLE_TIMEOUT": "5"}
    with house_of(servers, workers=2, apis=2, **env) as house:
        yield house


@pytest.fixture
def modelled(modelled_house: House, model: Endpoint) -> House:
    """That house, with a fresh script."""
    model.reset()
    return modelled_house
