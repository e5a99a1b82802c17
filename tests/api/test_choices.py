"""What a message may ask for: models and tools from a list, and nothing else."""

import pytest

from tests.contract.client import Client, message
from tests.house import House, token


@pytest.fixture
def client(house: House) -> Client:
    return Client(house.url, token("the chooser"))


@pytest.mark.parametrize(
    "options", [{"model": "gpt-unlisted"}, {"tool_choice": {"id": "rm"}}, {"model": ""}, {"model": "x" * 10_000}]
)
def test_what_is_not_listed_is_not_valid(client: Client, options: dict[str, object]) -> None:
    refused = client.post("threads.create", input=message("hello", inference_options=options))
    assert (refused.status_code, refused.json()["type"]) == (422, "invalid")


def test_what_may_be_asked_for_is_listed_and_taken(client: Client) -> None:
    listed = client.http.get("/api/models").json()
    assert listed["default"] == "scripted"
    assert {"id": "scripted"} in listed["data"]
    options = {"model": listed["default"], "tool_choice": listed["tools"][0]}
    with client.streaming("threads.create", input=message("hello", inference_options=options)) as (_, events):
        assert next(events)["type"] == "thread.created"
        assert next(events)["item"]["inference_options"] == options
