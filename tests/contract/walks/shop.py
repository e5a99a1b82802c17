"""Widgets, actions, and everything a server may yield: with tests/contract/servers/shop.py."""

from typing import Any

from tests.contract.client import Answer, Client
from tests.contract.servers.gallery import SECRET
from tests.contract.walk import Backend, walk

ITEM_TYPES = {
    "user_message",
    "assistant_message",
    "client_tool_call",
    "widget",
    "generated_image",
    "structured_input",
    "workflow",
    "task",
    "end_of_turn",
}
EVENT_TYPES = {
    "thread.created",
    "thread.updated",
    "thread.item.added",
    "thread.item.updated",
    "thread.item.done",
    "thread.item.removed",
    "thread.item.replaced",
    "stream_options",
    "progress_update",
    "client_effect",
    "notice",
}


@walk("a tool shows a widget", server="shop")
def widget(backend: Backend) -> None:
    answer = _products(backend.client)
    shown = answer.items("widget")[0]
    assert shown["copy_text"] == "tea: for sale"
    assert shown["widget"]["children"][1]["onClickAction"]["type"] == "shop.buy"
    assert answer.text == "Here is what we have."


@walk("an action replaces its widget and answers", server="shop")
def action(backend: Backend) -> None:
    answer = _products(backend.client)
    sender = answer.items("widget")[0]
    done = _act(backend.client, answer.thread_id, "shop.buy", item_id=sender["id"])
    replaced = done.of("thread.item.replaced")[0]["item"]
    assert (replaced["id"], replaced["copy_text"]) == (sender["id"], "tea: sold")
    assert done.text == "You have bought tea."
    assert replaced in backend.client.items(answer.thread_id)


@walk("an action may come from the page itself", server="shop")
def action_of_page(backend: Backend) -> None:
    thread_id = backend.client.begin("hello").thread_id
    assert _act(backend.client, thread_id, "shop.greet").text == "Welcome back."


@walk("threads.sync_custom_action answers with the updated widget", server="shop")
def sync_action(backend: Backend) -> None:
    answer = _products(backend.client)
    sender = answer.items("widget")[0]
    params = {"thread_id": answer.thread_id, "item_id": sender["id"]}
    act = {"type": "shop.like", "payload": {"kind": "tea"}}
    reply = backend.client.ask("threads.sync_custom_action", **params, action=act)
    assert reply["updated_item"]["widget"]["children"][0]["value"] == "tea: liked"
    assert reply["updated_item"] in backend.client.items(answer.thread_id)


@walk("feedback reaches the server", server="shop")
def feedback(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    item_ids = [item["id"] for item in answer.items("assistant_message")]
    backend.client.ask("items.feedback", thread_id=answer.thread_id, item_ids=item_ids, kind="negative")
    assert backend.client.ask("threads.get_by_id", thread_id=answer.thread_id)["title"] == "negative: 1"


@walk("every kind of event is streamed", server="shop")
def events(backend: Backend) -> None:
    assert set(backend.client.begin("gallery").types) == EVENT_TYPES


@walk("every kind of item is listed as it was streamed", server="shop")
def items(backend: Backend) -> None:
    answer = backend.client.begin("gallery")
    listed = backend.client.items(answer.thread_id)
    assert {item["type"] for item in listed} == ITEM_TYPES
    assert _by_id(listed) == _by_id(answer.shown)
    assert backend.client.ask("threads.get_by_id", thread_id=answer.thread_id)["items"]["data"] == listed


@walk("hidden context never leaves", server="shop")
def hidden(backend: Backend) -> None:
    answer = backend.client.begin("gallery")
    told = [answer.events, backend.client.items(answer.thread_id)]
    told.append(backend.client.ask("threads.get_by_id", thread_id=answer.thread_id))
    assert SECRET not in str(told)


@walk("a thought is streamed as a workflow before the answer", server="shop")
def thought(backend: Backend) -> None:
    answer = backend.client.begin("think")
    workflow = answer.items("workflow")[0]["workflow"]
    assert workflow["type"] == "reasoning"
    assert workflow["tasks"][0]["content"] == "The customer wants me to think."
    assert _by_id(backend.client.items(answer.thread_id)) == _by_id(answer.shown)


@walk("the server's title is told and kept", server="shop")
def title(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    assert answer.of("thread.updated")[-1]["thread"]["title"] == "About hello"
    assert backend.client.ask("threads.get_by_id", thread_id=answer.thread_id)["title"] == "About hello"


@walk("a locked thread says so", server="shop")
def locked(backend: Backend) -> None:
    answer = backend.client.begin("lock")
    status = {"type": "locked", "reason": "closed for today"}
    assert answer.of("thread.updated")[-1]["thread"]["status"] == status
    assert backend.client.ask("threads.get_by_id", thread_id=answer.thread_id)["status"] == status


@walk("the server's own error is told, and the thread goes on", server="shop")
def failure(backend: Backend) -> None:
    answer = backend.client.begin("fail")
    expected = {"type": "error", "code": "custom", "message": "The till is jammed.", "allow_retry": True}
    assert answer.of("error") == [expected]
    assert backend.client.say(answer.thread_id, "hello").text


@walk("an unexpected error is told without its text, and the thread goes on", server="shop")
def breakdown(backend: Backend) -> None:
    answer = backend.client.begin("break")
    assert [event["code"] for event in answer.of("error")] == ["stream.error"]
    assert "secret of the shop" not in str(answer.events)
    assert backend.client.say(answer.thread_id, "hello").text


@walk("an unknown action is an error event, and the thread goes on", server="shop")
def unknown_action(backend: Backend) -> None:
    thread_id = backend.client.begin("hello").thread_id
    assert len(_act(backend.client, thread_id, "shop.nonsense").of("error")) == 1
    assert backend.client.say(thread_id, "hello").text


def _products(client: Client) -> Answer:
    return client.begin("show me the products")


def _act(client: Client, thread_id: str, action_type: str, **params: Any) -> Answer:
    action = {"type": action_type, "payload": {"kind": "tea"}}
    return client.stream("threads.custom_action", thread_id=thread_id, action=action, **params)


def _by_id(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in items}
