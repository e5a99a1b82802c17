"""The backends that are walked: this one and the plain in-process SDK server, each with the two servers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.contract.baseline.app import running
from tests.contract.baseline.store import MemoryStore
from tests.contract.client import Client
from tests.contract.servers.desk import DeskServer
from tests.contract.servers.shop import ShopServer
from tests.contract.walk import Backend
from tests.house import House, token


def backend_of(house: House, name: str) -> Backend:
    """The house as the walks see it."""
    return Backend(Client(house.url, token("ann")), Client(house.url, token("bob")), name)


@contextmanager
def in_process() -> Iterator[dict[str, Backend]]:
    """`server.process()` in a FastAPI route, for each server."""
    with ExitStack() as stack:
        urls = {
            "shop": stack.enter_context(running(ShopServer(MemoryStore()))),
            "desk": stack.enter_context(running(DeskServer())),
        }
        yield {name: Backend(Client(url, "ann"), Client(url, "bob"), name) for name, url in urls.items()}
