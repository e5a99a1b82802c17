"""Problems: each with a status, a stable name of its own, and nothing of another exception in it."""

import re
from pathlib import Path

import shared.errors
from shared.errors import ConversationBusy, NotFound, Problem, RunError, StaleAttempt, Unauthorized, Unavailable


def tree(of: type[Problem]) -> list[type[Problem]]:
    return [of, *(inner for child in of.__subclasses__() for inner in tree(child))]


def ours() -> list[type[Problem]]:
    return [problem for problem in tree(Problem) if problem.__module__ == "shared.errors"]


def test_every_problem_has_a_name_of_its_own() -> None:
    names = [problem.type for problem in ours()]
    assert len(names) == len(set(names)) == len(ours())
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)
    assert all(problem.title.endswith(".") for problem in ours())


def test_the_drawing_names_every_error() -> None:
    drawing = Path(shared.errors.__file__).read_text().split('"""')[1]
    assert [problem.__name__ for problem in ours() if problem.__name__ not in drawing] == []
    for problem in ours():
        assert problem is Problem or str(problem.status) in drawing


def test_what_a_client_needs_to_go_on_is_in_the_headers() -> None:
    assert ConversationBusy("run_1").headers == {"X-Run-Id": "run_1"}
    assert ConversationBusy().headers == {}
    assert Unavailable(retry_after=7).headers == {"Retry-After": "7"}
    assert Unauthorized().headers == {"WWW-Authenticate": "Bearer"}


def test_a_problem_without_a_detail_says_its_title() -> None:
    assert (str(NotFound()), NotFound().detail) == (NotFound.title, None)


def test_what_ends_an_attempt_is_never_a_problem() -> None:
    assert issubclass(StaleAttempt, RunError)
    assert not issubclass(RunError, Problem)
