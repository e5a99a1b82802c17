"""Requests that schemathesis makes of the API's schema: valid ones, and ones that are wrong in one place."""

from typing import Any

import requests as wire
import schemathesis
from chatkit.types import ChatKitReq
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from api.app import create_app
from api.conversations import Rename
from api.dev import TokenRequest
from api.simple import SimpleRequest
from tests.fuzz.asked import Asked, Bearer
from tests.house import bearer as authorization
from tests.values import settings_of

BODIES: dict[tuple[str, str], Any] = {
    ("/chatkit", "post"): ChatKitReq | SimpleRequest,
    ("/api/conversations/{conversation_id}", "patch"): Rename,
    ("/dev/token", "post"): TokenRequest,
}
"""The routes read their bodies by themselves, so that FastAPI does not know of them."""
BY_THEMSELVES = ("/attachments", "/livez", "/readyz", "/metrics", "/playground")


def schema() -> dict[str, Any]:
    """The API's OpenAPI schema, with its bodies."""
    described = create_app(settings_of(dev_token=True)).openapi()
    components = described.setdefault("components", {}).setdefault("schemas", {})
    for (path, method), model in BODIES.items():
        body = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
        components.update(body.pop("$defs", {}))
        content = {"application/json": {"schema": body}}
        described["paths"][path][method]["requestBody"] = {"required": True, "content": content}
    described["paths"] = {
        path: methods for path, methods in described["paths"].items() if not path.startswith(BY_THEMSELVES)
    }
    return described


MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
cases = st.one_of(
    [
        operation.ok().as_strategy(generation_mode=mode)
        for operation in schemathesis.openapi.from_dict(schema()).get_all_operations()
        for mode in MODES
    ]
)


@given(case=cases, authorised=st.integers(0, 9))
@settings(settings.get_profile("door"))
def test_no_request_of_the_schemas_making_is_more_than_the_api_can_bear(
    bearer: Bearer, case: schemathesis.Case, authorised: int
) -> None:
    sent = wire.Request(**case.as_transport_kwargs(base_url="http://api")).prepare()
    headers = {name: str(value) for name, value in sent.headers.items()}
    if authorised:
        headers["authorization"] = authorization("fuzz")["Authorization"]
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    assert sent.method is not None
    assert sent.url is not None
    bearer.ask(Asked(sent.method, sent.url.removeprefix("http://api"), headers, body))
