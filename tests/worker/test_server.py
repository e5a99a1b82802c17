"""Anyone's ChatKitServer: how one is found and built, and what is said of one that cannot be."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chatkit.server import ChatKitServer

from shared.context import RequestContext
from shared.identity import Principal
from tests.contract.baseline.store import MemoryStore
from tests.house import Servers, house_of
from worker.server import UnusableServer, load_context, load_server

pytestmark = pytest.mark.anyio

MODULE = '''
from chatkit.server import ChatKitServer

class Guide(ChatKitServer):
    """As the guides write it."""
    def __init__(self, data_store, attachment_store=None):
        super().__init__(data_store, attachment_store)
        self.asked_with = (data_store, attachment_store)
    async def respond(self, thread, message, context):
        yield

class Inherited(Guide):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs) if args or kwargs else super().__init__(None)

class Plain(ChatKitServer):
    async def respond(self, thread, message, context):
        yield

class OwnStore(Plain):
    def __init__(self):
        super().__init__("a store of its own", "an attachment store of its own")

class Positional(Plain):
    def __init__(self, s, /, *, vector_store=None):
        super().__init__(s)
        self.vector_store = vector_store

class Settled(Plain):
    def __init__(self, store, api_key):
        super().__init__(store)

class Abstract(ChatKitServer):
    pass

class Broken(Plain):
    def __init__(self, store):
        raise RuntimeError("no key for the tea shop")

made = OwnStore()
number = 7

def factory():
    return OwnStore()

def nothing():
    return None

def context(principal, locale, metadata):
    return {"user": principal.user_id, "locale": locale, **metadata}

async def async_context(principal, locale, metadata):
    return (principal.user_id, locale)

def narrow_context(principal):
    return principal
'''

STORE, ATTACHMENTS = MemoryStore(), object()


@pytest.fixture(autouse=True)
def a_teams_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`team.servers` and `team.broken` can be imported."""
    package = tmp_path / "team"
    package.mkdir()
    (package / "servers.py").write_text(MODULE)
    (package / "broken.py").write_text("import something_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "team"]:
        del sys.modules[name]


def load(name: str) -> ChatKitServer[Any]:
    store: Any = ATTACHMENTS
    return load_server(f"team.servers:{name}", store=STORE, attachment_store=store)


@pytest.mark.parametrize("name", ["Guide", "Inherited", "Plain", "OwnStore", "Positional", "made", "factory"])
def test_a_class_a_factory_and_a_server_work_on_our_store(name: str) -> None:
    assert load(name).store is STORE


def test_a_server_that_asks_for_an_attachment_store_is_given_ours() -> None:
    server: Any = load("Guide")
    assert server.asked_with == (STORE, ATTACHMENTS)


def test_a_server_keeps_its_own_attachment_store() -> None:
    assert load("OwnStore").attachment_store == "an attachment store of its own"
    assert load("Plain").attachment_store is ATTACHMENTS


def test_another_kind_of_store_is_left_alone() -> None:
    server: Any = load("Positional")
    assert server.vector_store is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("team.servers", "write it as package.module:Name"),
        (":Guide", "write it as package.module:Name"),
        ("team.servers:Missing", "team.servers has no Missing"),
        ("team.nowhere:Guide", "team.nowhere cannot be imported (ModuleNotFoundError"),
        ("team.broken:Guide", "No module named 'something_that_is_not_there'"),
        ("team.servers:number", "neither a ChatKitServer nor something that makes one"),
        ("team.servers:nothing", "that gives a NoneType, not a ChatKitServer"),
        ("team.servers:Abstract", "it cannot be made (TypeError"),
        ("team.servers:Broken", "no key for the tea shop"),
        ("team.servers:Settled", "a worker cannot know its argument `api_key`"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(name: str, sentence: str) -> None:
    with pytest.raises(UnusableServer, match=r"^CHATKIT_SERVER=") as caught:
        load_server(name, store=STORE, attachment_store=None)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_teams_context_is_built_from_who_asks_in_what_language_with_what() -> None:
    asked = RequestContext(Principal("ann"), "de", {"page": "home"})
    assert await load_context("team.servers:context")(asked) == {"user": "ann", "locale": "de", "page": "home"}
    assert await load_context("team.servers:async_context")(asked) == ("ann", "de")
    assert await load_context(None)(asked) is asked


def test_a_context_that_cannot_be_built_is_said_so() -> None:
    with pytest.raises(UnusableServer, match="it must take \\(principal, locale, metadata\\)"):
        load_context("team.servers:narrow_context")


def test_a_worker_without_a_usable_server_says_so_and_ends(servers: Servers) -> None:
    with house_of(servers, apis=0, workers=0) as house:
        worker = house._process(["-m", "worker"], "worker", {"CHATKIT_SERVER": "nowhere:Server"})
        worker.start()
        assert worker.child is not None
        assert worker.child.wait() == 1
        said = worker.text
    assert "CHATKIT_SERVER=nowhere:Server: nowhere cannot be imported" in said
    assert "Traceback" not in said
