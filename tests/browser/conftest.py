"""A real browser (Debian's Chromium), real processes, a model that waits where it is told, a line that can be cut."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.chat import Chat
from tests.browser.site import running_site
from tests.chromium import CHROMIUM, MISSING
from tests.faults.proxy import Network, Proxy
from tests.house import House, Servers, house_of
from tests.model_endpoint import Endpoint, running_endpoint

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

BUDGET = 10**9


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests; each has contexts of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without a past: its pages share storage, as tabs do."""
    context = browser.new_context(viewport={"width": 1280, "height": 820})
    yield context
    context.close()


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Endpoint]:
    """The model of every house here."""
    with running_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def model(endpoint: Endpoint) -> Endpoint:
    """The same, without a script."""
    endpoint.reset()
    return endpoint


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The origin of a team's own page."""
    with running_site(Path(__file__).parent / "pages") as origin:
        yield origin


@dataclass
class Town:
    """A house, and the one line to it: what is killed and cut here, browsers see."""

    house: House
    line: Proxy

    @property
    def url(self) -> str:
        """Where browsers find the API."""
        return f"http://127.0.0.1:{self.line.port}"

    def kill_api(self) -> None:
        """The API at the end of the line dies, and another takes over."""
        self.house.apis.pop().kill()
        self.house.urls.pop()
        self.house.start_api()
        self.line.point(("127.0.0.1", int(self.house.url.rpartition(":")[2])))

    @contextmanager
    def other_api(self, **env: str) -> Iterator[str]:
        """The address of one more API, with settings of its own."""
        process = self.house.start_api(**env)
        try:
            yield self.house.urls[-1]
        finally:
            process.stop()
            self.house.apis.pop()
            self.house.urls.pop()

    def owner_of(self, run_id: str) -> int:
        """Which of the workers carries the run out."""
        [(owner,)] = self.house.sql("SELECT owner FROM runs WHERE id = %s", run_id)
        return next(n for n, worker in enumerate(self.house.workers) if f'"{owner}"' in worker.text)


@pytest.fixture(scope="session")
def town_of_all(servers: Servers, endpoint: Endpoint, site: str) -> Iterator[Town]:
    env = {"MODEL": "gpt-test", "MODEL_BASE_URL": endpoint.url, "CORS_ORIGINS": site, "DRAIN_SECONDS": "1"}
    env["MAX_TOKENS_PER_DAY"] = str(BUDGET)
    with house_of(servers, **env) as house, Network() as network:
        yield Town(house, network.proxy(("127.0.0.1", int(house.url.rpartition(":")[2]))))


@pytest.fixture
def town(town_of_all: Town) -> Iterator[Town]:
    """The town that all tests share, its line whole again after each."""
    yield town_of_all
    town_of_all.line.accept()
    town_of_all.line.thaw()
    town_of_all.line.filters = None


ChatIn = Callable[..., Chat]


@pytest.fixture
def chat_in(context: BrowserContext, town: Town, site: str, model: Endpoint) -> Iterator[ChatIn]:
    """Opens the stand-in's page: `chat_in("ann", thread=…)`. At the end nothing may have been shown wrongly."""
    opened: list[Chat] = []

    def open_chat(user: str, thread: str = "", *, api: str = town.url, attached: bool = True) -> Chat:
        chat = Chat(context.new_page(), town.house, user)
        chat.open(site, api, thread, attached=attached)
        opened.append(chat)
        return chat

    yield open_chat
    for chat in opened:
        if not chat.page.is_closed():
            assert chat.page.evaluate("chat.violations") == []
