"""A walk: one sentence about the protocol, and the steps that show whether it holds."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.contract.client import Client


@dataclass(frozen=True)
class Backend:
    """What is walked: two users' clients of one address, and the server that answers there, where it is known."""

    client: Client
    other: Client | None = None
    server: str | None = None


@dataclass(frozen=True)
class Walk:
    """`server` is the one that the walk needs: `shop` or `desk`, or any. `beyond` is what the SDK does not promise."""

    sentence: str
    steps: Callable[[Backend], None]
    server: str | None
    beyond: bool

    def suits(self, backend: Backend) -> bool:
        return self.server in (None, backend.server)


WALKS: list[Walk] = []


def walk(
    sentence: str, *, server: str | None = None, beyond: bool = False
) -> Callable[[Callable[[Backend], None]], Callable[[Backend], None]]:
    """Adds the function to the suite."""

    def add(steps: Callable[[Backend], None]) -> Callable[[Backend], None]:
        WALKS.append(Walk(sentence, steps, server, beyond))
        return steps

    return add
