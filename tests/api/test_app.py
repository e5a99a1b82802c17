"""The API put together: every refusal is a problem of the same shape, and tells nothing of what is behind it."""

from collections.abc import Callable

import pytest

from api.app import create_app
from shared.database import Database
from shared.errors import Problem
from shared.settings import Settings
from tests.api.conftest import Api, api_of
from tests.values import settings_of

pytestmark = pytest.mark.anyio

DOORS = [
    ("POST", "/chatkit"),
    ("GET", "/runs/run_1"),
    ("GET", "/runs/run_1/events"),
    ("POST", "/runs/run_1/cancel"),
    ("GET", "/api/conversations"),
    ("GET", "/api/conversations/thr_1"),
    ("GET", "/api/conversations/thr_1/messages"),
    ("DELETE", "/api/conversations/thr_1"),
    ("GET", "/api/tasks"),
]


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_every_door_asks_who_comes(api: Api, method: str, path: str) -> None:
    async with api.client(None) as client:
        refused = await client.request(method, path)
    assert (refused.status_code, refused.json()["type"]) == (401, "unauthorized")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_what_is_not_there_is_a_problem_of_the_same_shape(api: Api) -> None:
    async with api.client() as client:
        missing, foreign = await client.get("/no/such/path"), await client.get("/runs/run_unknown")
    assert missing.json() == foreign.json()
    assert {one.headers["content-type"] for one in (missing, foreign)} == {"application/problem+json"}


async def test_postgres_being_away_is_said_with_a_time_to_come_back(
    api_settings: Callable[..., Settings], database: Database
) -> None:
    async with api_of(api_settings()) as api, api.client() as client:
        await api.house.database.__aexit__()
        away = await client.get("/api/tasks")
    assert (away.status_code, away.json()["type"]) == (503, "unavailable")
    assert int(away.headers["retry-after"]) > 0


async def test_an_unexpected_error_tells_nothing_of_itself(api: Api) -> None:
    @api.app.get("/broken/door", include_in_schema=False)
    async def broken() -> None:
        raise RuntimeError("the secret")

    api.app.router.routes.insert(0, api.app.router.routes.pop())
    async with api.client() as client:
        failed = await client.get("/broken/door")
    assert failed.status_code == 500
    assert failed.json() == {"type": "internal", "title": Problem.title, "status": 500}


async def test_only_the_origins_that_were_named_may_read_the_answers(api_settings: Callable[..., Settings]) -> None:
    settings = api_settings(cors_origins=("https://shop.example",))
    async with api_of(settings) as api, api.client() as client:
        for origin, allowed in (("https://shop.example", "https://shop.example"), ("https://evil.example", None)):
            answer = await client.get("/api/tasks", headers={"Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers
        named = await client.get("/api/tasks", headers={"Origin": "https://shop.example"})
        exposed = named.headers["access-control-expose-headers"]
    assert all(name in exposed for name in ("X-Run-Id", "X-Thread-Id", "Content-Location", "Retry-After"))


async def test_stopping_ends_every_open_stream(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings()) as api:
        assert not api.house.closing.is_set()
    assert api.app.state.closing.is_set()


def test_nothing_is_opened_before_the_start() -> None:
    assert create_app(settings_of()).state.closing.is_set() is False
