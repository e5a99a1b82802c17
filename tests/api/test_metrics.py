"""The API's numbers: every answer counted once under its route's template, and /metrics for whoever may read it."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from api.metrics import ApiMeter, Metered
from shared.database import Database
from shared.settings import Settings
from tests.api.conftest import Api, api_of
from tests.numbers import number
from tests.rows import queued

pytestmark = pytest.mark.anyio


def answers(api: Api, method: str, route: str, status: int) -> float:
    return number(api.house.meter, "http_requests_total", method=method, route=route, status=str(status))


async def test_an_answer_is_counted_under_its_routes_template_and_no_id_becomes_a_label(api: Api) -> None:
    async with api.client() as client:
        for run_id in ("run_1", "run_2"):
            await client.get(f"/runs/{run_id}")
    assert answers(api, "GET", "/runs/{run_id}", 404) == 2
    seconds = {"method": "GET", "route": "/runs/{run_id}"}
    assert number(api.house.meter, "http_request_seconds_count", **seconds) == 2
    assert b"run_1" not in api.house.meter.page()


async def test_whatever_else_is_asked_for_is_one_route(api: Api) -> None:
    async with api.client() as client:
        for path in ("/no/such/path", "/wp-login.php"):
            await client.get(path)
        await client.request("PROPFIND", "/")
    assert answers(api, "GET", "pages", 404) == 2
    assert answers(api, "other", "pages", 405) == 1


async def test_a_refusal_is_counted_by_the_name_that_its_user_reads(api: Api) -> None:
    async with api.client(None) as client:
        reason = (await client.get("/api/tasks")).json()["type"]
    assert number(api.house.meter, "refusals_total", reason=reason) == 1


async def test_postgres_being_away_is_counted(api: Api) -> None:
    async with api.client() as client:
        await api.house.database.__aexit__()
        await client.get("/api/tasks")
    assert number(api.house.meter, "server_away_total", server="postgres") == 1


async def test_an_unexpected_error_is_counted_as_a_500(api: Api) -> None:
    @api.app.get("/broken/door", include_in_schema=False)
    async def broken() -> None:
        raise RuntimeError

    api.app.router.routes.insert(0, api.app.router.routes.pop())
    async with api.client() as client:
        await client.get("/broken/door")
    assert answers(api, "GET", "/broken/door", 500) == 1


async def test_the_answer_is_counted_when_it_begins_and_each_message_passes_as_it_is() -> None:
    meter, sent = ApiMeter(), list[Message]()

    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert number(meter, "http_requests_total", method="GET", route="pages", status="200") == 1
        for chunk in (b"one", b"two"):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await Metered(streaming, meter)({"type": "http", "method": "GET"}, receive, send)
    assert [message.get("body") for message in sent] == [None, b"one", b"two"]
    assert number(meter, "http_requests_total", method="GET", route="pages", status="200") == 1


async def test_the_page_tells_of_the_queue_and_of_the_servers(api: Api, database: Database) -> None:
    await queued(database)
    async with api.client(None) as client:
        page = (await client.get("/metrics")).text
        assert "chatkit_queue_waiting 1.0" in page
        assert 'chatkit_server_up{server="postgres"} 1.0' in page
        assert "chatkit_workers_seen 0.0" in page


async def test_a_run_is_counted_as_admitted_once_however_often_it_is_sent(api: Api) -> None:
    call = {"type": "input.transcribe", "params": {"audio_base64": "aGVsbG8=", "mime_type": "audio/webm"}}
    async with api_of(api.house.settings.model_copy(update={"call_timeout": 0.05})) as impatient:
        async with impatient.client() as client:
            for _ in range(2):
                sent = await client.post("/chatkit", json=call, headers={"Idempotency-Key": "k"})
                assert sent.status_code == 504
        assert number(impatient.house.meter, "runs_admitted_total", kind="call") == 1
        assert number(impatient.house.meter, "refusals_total", reason="too-late") == 2


async def test_the_page_is_open_unless_a_token_is_set(api: Api, api_settings: Callable[..., Settings]) -> None:
    async with api.client(None) as client:
        page = await client.get("/metrics")
        assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/plain")
    async with api_of(api_settings(metrics_token=SecretStr("s3cret"))) as guarded:
        for user, given, status in ((None, {}, 401), ("ann", {}, 401), (None, {"Authorization": "Bearer s3cret"}, 200)):
            async with guarded.client(user, **given) as client:
                assert (await client.get("/metrics")).status_code == status
