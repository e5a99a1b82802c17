"""Houses for the system tests: one whose model is an OpenAI-compatible endpoint over HTTP."""

from collections.abc import Iterator

import pytest

from tests.collector import Collector, running_collector
from tests.house import House, Servers, house_of
from tests.model_endpoint import Endpoint, running_endpoint

API_KEY = "sk-canary-of-an-api-key"
METRICS_TOKEN = "canary-of-a-metrics-token"
COLLECTOR_KEY = "canary-of-a-collectors-key"


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


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Where the `watched` house's processes send their spans."""
    with running_collector() as running:
        yield running


@pytest.fixture(scope="session")
def watched_house(servers: Servers, model: Endpoint, collector: Collector) -> Iterator[House]:
    """One API and one worker that tell everything they may tell: every log line, and their spans."""
    env = {
        "CHATKIT_SERVER": "tests.system.servers.watched:Server",
        "MODEL": "gpt-test",
        "MODEL_BASE_URL": model.url,
        "OPENAI_API_KEY": API_KEY,
        "METRICS_TOKEN": METRICS_TOKEN,
        "LOG_LEVEL": "DEBUG",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-key={COLLECTOR_KEY}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    with house_of(servers, **env) as house:
        yield house


@pytest.fixture
def watched(watched_house: House, model: Endpoint) -> House:
    """That house, with a fresh script."""
    model.reset()
    return watched_house
