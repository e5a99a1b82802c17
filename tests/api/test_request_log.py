"""Each request is one line and has one id, however it ends; and the id reaches the run that it makes."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from shared.database import Database
from tests.api.conftest import Api
from tests.sse import user_message

pytestmark = pytest.mark.anyio


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as told:
        yield told


async def test_a_request_is_one_line_with_its_route_and_never_its_address(api: Api, lines: list[Any]) -> None:
    async with api.client() as client:
        answer = await client.get("/runs/run_unknown?q=words")
    [line] = lines
    told = {name: line[name] for name in ("event", "log_level", "method", "route", "status", "correlation")}
    assert told == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/runs/{run_id}",
        "status": 404,
        "correlation": answer.headers["x-request-id"],
    }
    assert line["milliseconds"] >= 0


@pytest.mark.parametrize("name", ["X-Request-Id", "X-Correlation-Id"])
async def test_the_callers_own_id_is_taken_and_given_back(api: Api, lines: list[Any], name: str) -> None:
    async with api.client() as client:
        answer = await client.get("/api/tasks", headers={name: "order-4711"})
    assert answer.headers["x-request-id"] == lines[0]["correlation"] == "order-4711"


async def test_an_id_that_is_not_clean_is_not_taken(api: Api) -> None:
    async with api.client() as client:
        answer = await client.get("/api/tasks", headers={"X-Request-Id": "a b"})
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/no/such/path", 404), ("DELETE", "/chatkit", 405), ("GET", "/", 200)]
)
async def test_every_answer_has_an_id(api: Api, lines: list[Any], method: str, path: str, status: int) -> None:
    async with api.client(None) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, lines[0]["status"]) == (status, status)
    assert answer.headers["x-request-id"] == lines[0]["correlation"]


async def test_an_unexpected_error_has_an_id_too_and_its_text_is_nowhere(api: Api, lines: list[Any]) -> None:
    @api.app.get("/broken/door", include_in_schema=False)
    async def broken() -> None:
        raise RuntimeError("the secret")

    api.app.router.routes.insert(0, api.app.router.routes.pop())
    async with api.client() as client:
        failed = await client.get("/broken/door")
    error, request = lines
    assert (error["event"], error["error"], request["status"]) == ("unexpected error", "RuntimeError", 500)
    assert error["correlation"] == request["correlation"] == failed.headers["x-request-id"]
    assert "secret" not in str(lines)


async def test_probes_are_no_news(api: Api, lines: list[Any]) -> None:
    async with api.client(None) as client:
        await client.get("/livez")
    assert lines[0]["log_level"] == "debug"


async def test_a_run_remembers_the_id_of_its_request_and_its_line_says_why_the_stream_ended(
    api: Api, database: Database, lines: list[Any]
) -> None:
    async with api.client() as client:
        api.house.closing.set()
        answer = await client.post("/chatkit", json=user_message("hello"), headers={"X-Request-Id": "order-4711"})
    row = await database.across_users.one(
        "SELECT request FROM runs WHERE id = %(id)s", {"id": answer.headers["x-run-id"]}
    )
    assert row is not None
    assert (row["request"]["correlation"], row["request"]["traceparent"]) == ("order-4711", None)
    line = lines[-1]
    assert (line["run"], line["conversation"]) == (answer.headers["x-run-id"], answer.headers["x-thread-id"])
    assert line["ended"] == "closing"
