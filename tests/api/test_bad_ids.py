"""Every request that names something, asked for what is not there or not one's own: the same 404, and no trace."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.contract.client import Client, message
from tests.house import House, token

Params = dict[str, Any]

SAID = message("mine")
ACTION = {"type": "shop.greet", "payload": {}}
SKIPPED = {"status": "skipped"}

THREAD_REQUESTS: dict[str, Params] = {
    "threads.get_by_id": {},
    "items.list": {},
    "threads.update": {"title": "mine"},
    "threads.delete": {},
    "threads.add_user_message": {"input": SAID},
    "threads.add_client_tool_output": {"result": 1},
    "threads.add_structured_input": {"item_id": "msg_x", "input": SKIPPED},
    "threads.retry_after_item": {"item_id": "msg_x"},
    "threads.custom_action": {"action": ACTION},
    "threads.sync_custom_action": {"action": ACTION},
    "items.feedback": {"item_ids": [], "kind": "positive"},
}
ITEM_REQUESTS: dict[str, Params] = {
    "items.list": {"after": "{id}"},
    "threads.add_structured_input": {"item_id": "{id}", "input": SKIPPED},
    "threads.retry_after_item": {"item_id": "{id}"},
    "threads.custom_action": {"item_id": "{id}", "action": ACTION},
    "threads.sync_custom_action": {"item_id": "{id}", "action": ACTION},
    "items.feedback": {"item_ids": ["{id}"], "kind": "positive"},
}
OTHER_REQUESTS: dict[str, Params] = {
    "threads.list": {"after": "{id}"},
    "attachments.delete": {"attachment_id": "{id}"},
    "threads.create": {"input": message("mine", attachments=["{id}"])},
}
IDS = ["foreign", "unknown", "NUL", "10 KB"]


@dataclass
class Ground:
    """Two users of one house, a thread each."""

    house: House
    ann: Client
    mine: str
    ids: dict[str, dict[str, str]]

    def counts(self) -> list[object]:
        tables = ("conversations", "messages", "runs", "feedback", "attachments", "idempotency_keys")
        rows = [self.house.sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables]
        return [*rows, self.house.sql("SELECT md5(string_agg(item::text || position, '' ORDER BY id)) FROM messages")]


@pytest.fixture(scope="module")
def ground(contract_houses: dict[str, House]) -> Ground:
    house = contract_houses["desk"]
    ann, bob = (Client(house.url, token(f"{name} of the ids")) for name in ("ann", "bob"))
    mine, theirs = ann.begin("hello").thread_id, bob.begin("ask me")
    attachment = bob.ask("attachments.create", name="a.txt", size=1, mime_type="text/plain")["id"]
    same = {"unknown": "thr_unknown", "NUL": "thr_\x00", "10 KB": "x" * 10_240}
    foreign = {"thread": theirs.thread_id, "item": theirs.items("structured_input")[0]["id"], "other": attachment}
    return Ground(house, ann, mine, {kind: {"foreign": found, **same} for kind, found in foreign.items()})


def refused(ground: Ground, request_type: str, params: Params) -> None:
    before = ground.counts()
    response = ground.ann.post(request_type, **params)
    assert response.status_code == 404, response.text
    assert response.json() == {"type": "not-found", "title": "There is nothing here.", "status": 404}
    assert ground.counts() == before


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("request_type", THREAD_REQUESTS)
def test_a_thread_that_is_not_ones_own(ground: Ground, request_type: str, kind: str) -> None:
    refused(ground, request_type, {"thread_id": ground.ids["thread"][kind], **THREAD_REQUESTS[request_type]})


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("request_type", ITEM_REQUESTS)
def test_an_item_that_is_not_in_the_thread(ground: Ground, request_type: str, kind: str) -> None:
    params = _filled(ITEM_REQUESTS[request_type], ground.ids["item"][kind])
    refused(ground, request_type, {"thread_id": ground.mine, **params})


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("request_type", OTHER_REQUESTS)
def test_a_cursor_or_an_attachment_that_is_not_ones_own(ground: Ground, request_type: str, kind: str) -> None:
    of = "thread" if request_type == "threads.list" else "other"
    refused(ground, request_type, _filled(OTHER_REQUESTS[request_type], ground.ids[of][kind]))


def _filled(params: Any, found: str) -> Any:
    match params:
        case "{id}":
            return found
        case dict():
            return {name: _filled(value, found) for name, value in params.items()}
        case list():
            return [_filled(value, found) for value in params]
        case _:
            return params


@pytest.mark.parametrize("found", ["x%00y", "x" * 10_240, "unknown"])
@pytest.mark.parametrize(
    "place",
    ["/runs/{}", "/runs/{}/events", "/api/conversations/{}", "/api/conversations/{}/messages", "/attachments/{}"],
)
def test_an_address_of_nothing(ground: Ground, place: str, found: str) -> None:
    assert ground.ann.http.get(place.format(found)).status_code == 404


def test_a_query_that_cannot_be_asked(ground: Ground) -> None:
    assert ground.ann.http.get("/api/conversations?after=%00").status_code == 422
    assert ground.ann.http.get("/api/conversations?q=%00").status_code == 422
    assert ground.ann.http.post("/runs/%00/cancel").status_code == 404
