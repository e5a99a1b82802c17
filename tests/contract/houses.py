"""This backend, once for each of the two servers that the walks need."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.house import House, Servers, house_of

SERVERS = {"shop": "tests.contract.servers.shop:ShopServer", "desk": "tests.contract.servers.desk:DeskServer"}
CONTEXT = "tests.contract.servers.context:build"


@contextmanager
def houses(servers: Servers) -> Iterator[dict[str, House]]:
    """A house for each, by the server's name."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(house_of(servers, CHATKIT_SERVER=path, CHATKIT_CONTEXT=CONTEXT))
            for name, path in SERVERS.items()
        }
