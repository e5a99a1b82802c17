"""The backends that are walked, for the session."""

from collections.abc import Iterator

import pytest

from tests.contract import backends
from tests.contract.walk import Backend
from tests.house import House


@pytest.fixture(scope="session")
def ours(contract_houses: dict[str, House]) -> dict[str, Backend]:
    """This backend."""
    return {name: backends.backend_of(house, name) for name, house in contract_houses.items()}


@pytest.fixture(scope="session")
def in_process() -> Iterator[dict[str, Backend]]:
    """The plain SDK server."""
    with backends.in_process() as running:
        yield running
