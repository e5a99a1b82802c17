"""The test endpoint itself: what other tests rely on."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.house import free_port
from tests.model_endpoint import Call, Calls, Endpoint, Failure, Text, running_endpoint
from tests.model_remote import spawned_endpoint

pytestmark = pytest.mark.anyio


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with running_endpoint() as running:
        yield running


def ask(url: str, *users: str, assistant: str | None = None) -> httpx.Response:
    messages = [{"role": "user", "content": user} for user in users]
    messages += [{"role": "assistant", "content": assistant}] if assistant else []
    return httpx.post(f"{url}/chat/completions", json={"model": "test", "stream": True, "messages": messages})


def said(response: httpx.Response) -> str:
    frames = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: {")]
    choices = [choice for frame in frames for choice in json.loads(frame)["choices"]]
    return "".join(choice["delta"].get("content", "") for choice in choices)


async def test_replies_are_said_in_order_and_then_the_default(endpoint: Endpoint) -> None:
    endpoint.replies(Text("one"), Failure(429))
    assert said(ask(endpoint.url, "hi")) == "one"
    assert ask(endpoint.url, "hi").status_code == 429
    assert said(ask(endpoint.url, "hi")) == "Hello from the test model."
    assert [request.user for request in endpoint.requests] == ["hi"] * 3


async def test_replies_may_be_chosen_by_the_last_user_message_and_the_step(endpoint: Endpoint) -> None:
    endpoint.answers_to("milk", Call("add_task", {"title": "milk"}), Text("Done."))
    endpoint.answers(lambda request: Text("Bread!") if "bread" in request.user else None)
    assert said(ask(endpoint.url, "bread")) == "Bread!"
    assert "add_task" in ask(endpoint.url, "bread", "MILK").text
    assert said(ask(endpoint.url, "milk", assistant="I call the tool.")) == "Done."


async def test_a_call_comes_in_three_deltas(endpoint: Endpoint) -> None:
    endpoint.replies(Calls(Call("a", {"n": 1}), Call("b", {"n": 2})))
    ask(endpoint.url, "hi")
    assert endpoint.requests[-1].tokens == 6


async def test_a_gate_holds_until_it_is_released(endpoint: Endpoint) -> None:
    endpoint.replies(Text("one two three").waits_at(1, 2))
    asking = threading.Thread(target=ask, args=(endpoint.url, "hi"))
    asking.start()
    for tokens in (1, 2):
        request = await endpoint.reached(tokens=tokens)
        assert (request.tokens, request.finished) == (tokens, False)
        endpoint.release()
    await endpoint.until(lambda: request.finished and request)
    asking.join()


def test_it_is_steered_from_another_process() -> None:
    with spawned_endpoint(free_port()) as remote:
        remote.replies(Text("one"))
        remote.answers_to("story", Text("once upon a time").waits_at(2))
        remote.says_otherwise(Text("two"))
        assert [said(ask(remote.url, "hi")), said(ask(remote.url, "hi"))] == ["one", "two"]
        asking = threading.Thread(target=ask, args=(remote.url, "a story"))
        asking.start()
        remote.wait(lambda seen: seen[-1].user == "a story" and seen[-1].tokens == 2)
        remote.release("story")
        assert remote.wait(lambda seen: seen[-1].finished)[-1].tokens == 4
        asking.join()
        remote.reset()
        assert remote.requests == []
