"""The conformance suite, walked against this backend and against the plain in-process SDK server."""

import pytest

from tests.contract.suite import Finding, reason, table
from tests.contract.walk import WALKS, Backend, Walk

CASES = [
    pytest.param(server, one, id=f"{server}: {one.sentence}")
    for server in ("shop", "desk")
    for one in WALKS
    if one.server in (None, server)
]
PROTOCOL = [case for case in CASES if not case.values[1].beyond]


@pytest.mark.parametrize(("server", "one"), CASES)
def test_it_holds_here(ours: dict[str, Backend], server: str, one: Walk) -> None:
    one.steps(ours[server])


@pytest.mark.parametrize(("server", "one"), PROTOCOL)
def test_it_holds_in_process(in_process: dict[str, Backend], server: str, one: Walk) -> None:
    one.steps(in_process[server])


def test_a_walk_that_does_not_hold_is_named_with_its_reason() -> None:
    def steps(_: Backend) -> None:
        raise AssertionError("it is not so")

    one = Walk("a sentence", steps, None, beyond=False)
    WALKS.append(one)
    try:
        found = Finding(one, reason(one, Backend.__new__(Backend)))
        assert "| a sentence | **no** |" in table([("here", [found])])
        assert table([("here", [found])]).endswith("here: a sentence: it is not so")
    finally:
        WALKS.remove(one)
