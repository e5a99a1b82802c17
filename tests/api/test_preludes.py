"""What a request does before anyone answers: in one transaction, in its turn, and seen at once."""

import threading

import httpx
import pytest

from tests.contract.client import Client, message
from tests.house import House, bearer, eventually, token

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def desk(contract_houses: dict[str, House]) -> Client:
    return Client(contract_houses["desk"].url, token("ann of the preludes"))


def test_an_output_that_comes_while_the_run_is_still_ending_waits_for_it(
    desk: Client, contract_houses: dict[str, House]
) -> None:
    house = contract_houses["desk"]
    answer = desk.begin("where am I")
    run_id = answer.headers["X-Run-Id"]
    house.sql("UPDATE runs SET status = 'running', lease_until = now() + interval '1 minute' WHERE id = %s", run_id)
    done: list[str] = []
    output = {"thread_id": answer.thread_id, "result": {"city": "Bern"}}
    posting = threading.Thread(target=lambda: done.append(desk.stream("threads.add_client_tool_output", **output).text))
    posting.start()
    eventually(lambda: house.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%%kind <> %%call%%'"))
    assert not done
    house.sql("UPDATE runs SET status = 'completed' WHERE id = %s", run_id)
    posting.join()
    assert done == ["You are in Bern."]
    assert house.sql("SELECT cancel_requested_at FROM runs WHERE id = %s", run_id) == [(None,)]


def test_a_locked_thread_takes_no_message_but_still_its_actions(contract_houses: dict[str, House]) -> None:
    shop = Client(contract_houses["shop"].url, token("ann of the locks"))
    answer = shop.begin("lock")
    refused = shop.post("threads.add_user_message", thread_id=answer.thread_id, input=message("hello"))
    assert (refused.status_code, refused.json()["type"]) == (409, "conversation-locked")
    action = {"type": "shop.greet", "payload": None}
    done = shop.stream("threads.custom_action", thread_id=answer.thread_id, action=action)
    assert done.text == "Welcome back."


def test_a_refusal_is_a_stream_that_ends_as_failed_and_no_run(contract_houses: dict[str, House]) -> None:
    house = contract_houses["desk"]
    desk = Client(house.url, token("ann of the refusals"))
    thread_id = desk.begin("hello").thread_id
    body = {"type": "threads.add_client_tool_output", "params": {"thread_id": thread_id, "result": 1}}
    answer = httpx.post(f"{house.url}/chatkit", json=body, headers=bearer("ann of the refusals"))
    assert answer.text.endswith(": end failed\n\n")
    assert "X-Run-Id" not in answer.headers
    assert house.sql("SELECT count(*) FROM runs WHERE conversation_id = %s", thread_id) == [(1,)]


def test_dangling_calls_are_gone_once_the_last_one_is_answered(desk: Client, contract_houses: dict[str, House]) -> None:
    house = contract_houses["desk"]
    answer = desk.begin("where am I")
    call = answer.items("client_tool_call")[0]["id"]
    house.sql(
        "INSERT INTO messages (conversation_id, id, run_id, position, type, item) "
        "SELECT conversation_id, 'dangling', run_id, 0, type, item || '{\"id\": \"dangling\"}' "
        "FROM messages WHERE id = %s",
        call,
    )
    desk.stream("threads.add_client_tool_output", thread_id=answer.thread_id, result={"city": "Bern"})
    calls = [item["id"] for item in desk.items(answer.thread_id) if item["type"] == "client_tool_call"]
    assert calls == [call]


def test_an_item_of_an_unknown_type_is_listed_as_it_is(desk: Client, contract_houses: dict[str, House]) -> None:
    house = contract_houses["desk"]
    thread_id = desk.begin("hello").thread_id
    house.sql(
        "INSERT INTO messages (conversation_id, id, position, type, item) VALUES (%s, 'future', 0, 'hologram', "
        '\'{"id": "future", "type": "hologram", "depth": {"of": [3, null]}}\')',
        thread_id,
    )
    listed = desk.post("items.list", thread_id=thread_id, order="asc").json()["data"]
    assert listed[0] == {"id": "future", "type": "hologram", "depth": {"of": [3, None]}}
    assert desk.say(thread_id, "hello").text
    assert desk.post("items.list", thread_id=thread_id, order="asc").json()["data"][0] == listed[0]


def test_an_action_that_the_default_agent_does_not_know_is_an_error_event(house: House) -> None:
    ann = Client(house.url, token("ann of the actions"))
    with ann.streaming("threads.create", input=message("hello")) as (response, _):
        thread_id, run_id = response.headers["X-Thread-Id"], response.headers["X-Run-Id"]
    ann.http.post(f"/runs/{run_id}/cancel")
    answer = ann.stream("threads.custom_action", thread_id=thread_id, action={"type": "dance"})
    assert answer.of("error")[0]["message"] == "This assistant does not know that action."
    with ann.streaming("threads.add_user_message", thread_id=thread_id, input=message("hello")) as (_, events):
        assert next(events)["item"]["type"] == "user_message"
