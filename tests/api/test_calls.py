"""Requests that run a team's code and answer with JSON, over HTTP: what is not offered, not valid, or too late."""

import base64

import httpx
import pytest

from tests.contract.client import Client
from tests.contract.houses import CONTEXT, SERVERS
from tests.house import House, Servers, bearer, house_of, token

AUDIO = base64.b64encode(b"hello").decode()


@pytest.fixture
def shop(contract_houses: dict[str, House]) -> Client:
    return Client(contract_houses["shop"].url, token("the caller"))


def test_what_the_server_does_not_offer_is_said_to_be_so(shop: Client) -> None:
    answer = shop.post("input.transcribe", audio_base64=AUDIO, mime_type="audio/webm")
    assert (answer.status_code, answer.json()["type"]) == (501, "not-offered")


def test_audio_that_is_not_base64_is_not_valid(shop: Client) -> None:
    assert shop.post("input.transcribe", audio_base64="§§", mime_type="audio/webm").status_code == 422


def test_the_servers_own_words_are_told_and_no_others(shop: Client) -> None:
    thread_id = shop.begin("hello").thread_id
    answer = shop.post("threads.sync_custom_action", thread_id=thread_id, action={"type": "shop.like"})
    assert answer.status_code == 500
    assert answer.json()["detail"] == "That cannot be liked."


@pytest.mark.parametrize("action", [{}, {"type": None}, {"type": 7}, {"payload": 1}])
def test_an_action_needs_a_type(shop: Client, action: dict[str, object]) -> None:
    thread_id = shop.begin("hello").thread_id
    for request_type in ("threads.custom_action", "threads.sync_custom_action"):
        assert shop.post(request_type, thread_id=thread_id, action=action).status_code == 422


def test_only_a_widget_sends_a_sync_action(shop: Client) -> None:
    answer = shop.begin("hello")
    item_id = answer.items("assistant_message")[0]["id"]
    params = {"thread_id": answer.thread_id, "item_id": item_id, "action": {"type": "shop.like"}}
    assert shop.post("threads.sync_custom_action", **params).status_code == 422


def test_a_call_is_made_while_the_thread_is_answering_and_with_one_key_once(shop: Client) -> None:
    body = {"type": "items.feedback", "params": {"thread_id": shop.begin("hello").thread_id, "item_ids": []}}
    body["params"]["kind"] = "positive"  # type: ignore[index]
    for _ in range(2):
        assert shop.http.post("/chatkit", json=body, headers={"Idempotency-Key": "a call"}).json() == {}
    listed = shop.ask("threads.get_by_id", thread_id=body["params"]["thread_id"])  # type: ignore[index]
    assert listed["title"] == "positive: 0"


def test_a_call_that_no_worker_takes_is_too_late_and_ends(servers: Servers) -> None:
    env = {"CHATKIT_SERVER": SERVERS["desk"], "CHATKIT_CONTEXT": CONTEXT, "CALL_TIMEOUT": "0.3"}
    with house_of(servers, workers=0, **env) as house:
        params = {"audio_base64": AUDIO, "mime_type": "audio/webm"}
        body = {"type": "input.transcribe", "params": params}
        answer = httpx.post(f"{house.url}/chatkit", json=body, headers=bearer("ann"))
        assert (answer.status_code, answer.json()["type"]) == (504, "too-late")
        [(kind, status)] = house.sql("SELECT kind, status FROM runs")
    assert (kind, status) == ("call", "queued")


def test_feedback_is_kept_with_who_when_and_of_what(contract_houses: dict[str, House]) -> None:
    house = contract_houses["desk"]
    ann = Client(house.url, token("the critic"))
    answer = ann.begin("hello")
    item_ids = [item["id"] for item in answer.items("assistant_message")]
    ann.ask("items.feedback", thread_id=answer.thread_id, item_ids=item_ids, kind="negative")
    rows = house.sql(
        "SELECT user_id, item_ids, kind, created_at > now() - interval '1 hour' FROM feedback "
        "WHERE conversation_id = %s",
        answer.thread_id,
    )
    assert rows == [("the critic", item_ids, "negative", True)]
