"""A problem as a response."""

from fastapi.responses import JSONResponse

from shared.errors import Problem


def problem_response(problem: Problem) -> JSONResponse:
    """The problem as RFC 9457 has it: a stable type, a title, and a detail only where it was written for users."""
    body = {"type": problem.type, "title": problem.title, "status": problem.status}
    if problem.detail:
        body["detail"] = problem.detail
    return JSONResponse(
        body, status_code=problem.status, headers=problem.headers, media_type="application/problem+json"
    )
