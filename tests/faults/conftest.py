"""The suite's fixtures: zygotes, the model, two houses that many tests share, and the report."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from local.postgres import Postgres
from local.redis import Redis
from tests.faults import report
from tests.faults.house import FaultHouse, HouseOf, Zygotes, fault_house
from tests.faults.programs import Zygote
from tests.faults.report import Sighting
from tests.house import Servers
from tests.model_endpoint import Endpoint, running_endpoint

IMPATIENT = {"MODEL_IDLE_TIMEOUT": "1.5"}

_sightings: dict[str, Sighting] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--report", type=Path, default=None, help="the directory to write faults.md and faults.json to")
    parser.addoption("--seed", type=int, default=1, help="of the random run")
    parser.addoption("--minutes", type=float, default=0.5, help="of the random run")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "row(number): the line of the table of faults that this test is of")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    result = outcome.get_result()  # type: ignore[attr-defined]
    if (sighting := _sightings.get(item.nodeid)) and (result.when == "call" or result.failed):
        sighting.outcome = "not yet" if hasattr(result, "wasxfail") else result.outcome
        sighting.duration = round(result.duration, 1)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (directory := session.config.getoption("report")) and _sightings:
        report.write(_sightings.values(), directory)


@pytest.fixture(autouse=True)
def sighting(request: pytest.FixtureRequest) -> Sighting:
    """What this test has to say to the report."""
    marker = request.node.get_closest_marker("row")
    assert marker is not None, "every test here is of a row"
    return _sightings.setdefault(request.node.nodeid, Sighting(marker.args[0], request.node.originalname))


@pytest.fixture(scope="session")
def zygotes() -> Iterator[Zygotes]:
    both = Zygotes(Zygote("api.app"), Zygote("worker.main", "agents.extensions.models.litellm_model"))
    yield both
    both.api.stop()
    both.worker.stop()


@pytest.fixture(scope="session")
def _model() -> Iterator[Endpoint]:
    with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def model(_model: Endpoint) -> Endpoint:
    """The model of every house, without a script."""
    _model.reset()
    return _model


@pytest.fixture
def house_of(servers: Servers, zygotes: Zygotes, model: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> HouseOf:
    """Makes a house of the test's own, with the settings it needs."""
    return partial(fault_house, servers, zygotes, model, tmp_path_factory)


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[Servers]:
    """A Postgres and a Redis that the test may restart."""
    with Postgres(tmp_path / "postgres", durable=False) as postgres, Redis(tmp_path / "redis") as redis:
        yield Servers(postgres, redis)


@pytest.fixture(scope="session")
def _team(
    servers: Servers, zygotes: Zygotes, _model: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultHouse]:
    with fault_house(servers, zygotes, _model, tmp_path_factory, workers=2, apis=2) as house:
        yield house


@pytest.fixture
def team(_team: FaultHouse, model: Endpoint) -> FaultHouse:
    """Two APIs and at least two workers with a team's own server; whoever is killed is replaced."""
    _team.keep_workers(2)
    return _team


@pytest.fixture(scope="session")
def _todo(
    servers: Servers, zygotes: Zygotes, _model: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultHouse]:
    env = {"CHATKIT_SERVER": "", "MODEL": "test", "MODEL_BASE_URL": _model.url, **IMPATIENT}
    with fault_house(servers, zygotes, _model, tmp_path_factory, workers=1, apis=1, **env) as house:
        yield house


@pytest.fixture
def todo(_todo: FaultHouse, model: Endpoint) -> FaultHouse:
    """The default agent on a model over HTTP."""
    _todo.keep_workers(1)
    return _todo


@pytest.fixture(scope="session")
def _impatient_team(
    servers: Servers, zygotes: Zygotes, _model: Endpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FaultHouse]:
    with fault_house(servers, zygotes, _model, tmp_path_factory, workers=1, apis=1, **IMPATIENT) as house:
        yield house


@pytest.fixture
def impatient_team(_impatient_team: FaultHouse, model: Endpoint) -> FaultHouse:
    """A team's own server whose model may not be silent for long."""
    _impatient_team.keep_workers(1)
    return _impatient_team
