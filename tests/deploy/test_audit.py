"""What `make audit` makes of pip-audit's report."""

import json
import runpy
from collections.abc import Callable

import pytest

from tests.house import ROOT

verdict: Callable[[str], tuple[int, str]] = runpy.run_path(str(ROOT / "deploy/audit.py"))["verdict"]

SOUND = {"name": "idna", "version": "3.10", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.1.2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.3"]}]}
UNKNOWN = {"name": "arq", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([SOUND], 0, "Nothing is known against the 1 packages."),
        ([SOUND, UNKNOWN], 0, "could not be done for 1 of 2"),
        ([SOUND, UNKNOWN, WEAK], 1, "jinja2 3.1.2: PYSEC-1, fixed in 3.1.3"),
    ],
)
def test_a_known_vulnerability_fails_and_what_could_not_be_asked_is_said(
    packages: list[object], code: int, words: str
) -> None:
    said = verdict(json.dumps({"dependencies": packages, "fixes": []}))
    assert said[0] == code
    assert words in said[1]


def test_without_a_network_no_clean_bill_is_given() -> None:
    assert verdict("") == (0, "The audit could not be done: the advisories cannot be reached.")
