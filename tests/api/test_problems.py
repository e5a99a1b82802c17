"""A problem as a response."""

from api.problems import problem_response
from shared.errors import ConversationBusy, Unavailable


def test_a_problem_says_its_detail_and_its_headers() -> None:
    busy = problem_response(ConversationBusy("run_1"))
    assert (busy.status_code, busy.headers["x-run-id"]) == (409, "run_1")
    assert b'"detail"' not in bytes(busy.body)
    assert b'"detail":"Come later."' in bytes(problem_response(Unavailable("Come later.")).body)
