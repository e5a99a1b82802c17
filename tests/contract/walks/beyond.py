"""What a product needs and the protocol does not promise: other people's ids, mistakes, and a lost connection."""

from typing import Any

from tests.contract.client import Answer, Client
from tests.contract.walk import Backend, walk

UNKNOWN = ["thr_unknown", "thr_\x00", "x" * 10_000, ""]


@walk("an unknown thread is 404 for every request", beyond=True)
def unknown_ids(backend: Backend) -> None:
    for thread_id in UNKNOWN:
        for request_type, params in _requests(thread_id, "msg_unknown").items():
            _missing(backend.client, request_type, params)


@walk("another user's thread and items are the same 404, and untouched", beyond=True)
def foreign_ids(backend: Backend) -> None:
    assert backend.other is not None, "this walk needs a second user's token"
    theirs = backend.other.begin("a secret")
    before = backend.other.items(theirs.thread_id)
    for request_type, params in _requests(theirs.thread_id, before[0]["id"]).items():
        _missing(backend.client, request_type, params)
    mine = backend.client.begin("hello").thread_id
    for request_type, params in _requests(mine, before[0]["id"]).items():
        if {"item_id", "item_ids", "after"} & params.keys():
            _missing(backend.client, request_type, params)
    for after in (theirs.thread_id, *UNKNOWN[:3]):
        _missing(backend.client, "threads.list", {"after": after})
    assert backend.other.items(theirs.thread_id) == before
    assert [item["type"] for item in backend.client.items(mine)].count("user_message") == 1


@walk("another user's attachment cannot be sent", server="desk", beyond=True)
def foreign_attachment(backend: Backend) -> None:
    assert backend.other is not None, "this walk needs a second user's token"
    theirs = backend.other.ask("attachments.create", name="a.txt", size=1, mime_type="text/plain")
    for attachment_id in (theirs["id"], "file_unknown", "file_\x00"):
        text = {"content": [{"type": "input_text", "text": "mine"}], "inference_options": {}}
        _missing(backend.client, "threads.create", {"input": {**text, "attachments": [attachment_id]}})
        _missing(backend.client, "attachments.delete", {"attachment_id": attachment_id})


@walk("an output that no tool waits for is an error event, and the thread goes on", beyond=True)
def no_pending_call(backend: Backend) -> None:
    thread_id = backend.client.begin("hello").thread_id
    before = backend.client.items(thread_id)
    _refused(backend.client.stream("threads.add_client_tool_output", thread_id=thread_id, result=1))
    assert backend.client.items(thread_id) == before
    assert backend.client.say(thread_id, "hello").text


@walk("questions are answered once: again is an error event, and the thread goes on", server="desk", beyond=True)
def answered_twice(backend: Backend) -> None:
    asked = backend.client.begin("ask me")
    item = asked.items("structured_input")[0]
    params = {"thread_id": asked.thread_id, "item_id": item["id"], "input": {"status": "skipped"}}
    backend.client.stream("threads.add_structured_input", **params)
    _refused(backend.client.stream("threads.add_structured_input", **params))
    other = asked.items("user_message")[0]["id"]
    _refused(backend.client.stream("threads.add_structured_input", **{**params, "item_id": other}))
    assert backend.client.say(asked.thread_id, "hello").text


@walk("only one's own message is answered again, and only a widget sends an action", beyond=True)
def wrong_items(backend: Backend) -> None:
    answer = backend.client.begin("hello")
    item_id = answer.items("assistant_message")[0]["id"]
    params: dict[str, Any] = {"thread_id": answer.thread_id, "item_id": item_id}
    _refused(backend.client.stream("threads.retry_after_item", **params))
    _refused(backend.client.stream("threads.custom_action", **params, action={"type": "x"}))
    assert backend.client.items(answer.thread_id) == answer.shown


@walk("limits are clamped", beyond=True)
def limits(backend: Backend) -> None:
    thread_id = backend.client.begin("hello").thread_id
    for limit in (-1, 0, 10**9):
        page = backend.client.ask("items.list", thread_id=thread_id, limit=limit)
        assert 1 <= len(page["data"]) <= 100, (limit, len(page["data"]))


@walk("an answer goes on when its reader has left, and can be read again from its start", beyond=True)
def comes_back(backend: Backend) -> None:
    request: dict[str, Any] = {"content": [{"type": "input_text", "text": "hello"}], "attachments": []}
    with backend.client.streaming("threads.create", input={**request, "inference_options": {}}) as (response, events):
        first = next(events)
        place = response.headers.get("content-location")
    assert place, "no Content-Location to come back to"
    again = backend.client.read(place)
    assert again.events[0] == first
    assert again.text
    assert backend.client.items(first["thread"]["id"]) == again.shown


def _requests(thread_id: str, item_id: str) -> dict[str, dict[str, Any]]:
    """Every request that names a thread."""
    text = {"content": [{"type": "input_text", "text": "x"}], "attachments": [], "inference_options": {}}
    action = {"type": "x", "payload": {"kind": "tea"}}
    return {
        "threads.get_by_id": {"thread_id": thread_id},
        "items.list": {"thread_id": thread_id, "after": item_id},
        "threads.update": {"thread_id": thread_id, "title": "mine now"},
        "threads.delete": {"thread_id": thread_id},
        "threads.add_user_message": {"thread_id": thread_id, "input": text},
        "threads.add_client_tool_output": {"thread_id": thread_id, "result": 1},
        "threads.add_structured_input": {"thread_id": thread_id, "item_id": item_id, "input": {"status": "skipped"}},
        "threads.retry_after_item": {"thread_id": thread_id, "item_id": item_id},
        "threads.custom_action": {"thread_id": thread_id, "item_id": item_id, "action": action},
        "threads.sync_custom_action": {"thread_id": thread_id, "item_id": item_id, "action": action},
        "items.feedback": {"thread_id": thread_id, "item_ids": [item_id], "kind": "positive"},
    }


def _missing(client: Client, request_type: str, params: dict[str, Any]) -> None:
    response = client.post(request_type, **params)
    assert response.status_code == 404, f"{request_type} answers {response.status_code}"
    body = response.json()
    assert body == {"type": "not-found", "title": body["title"], "status": 404}, body


def _refused(answer: Answer) -> None:
    assert answer.types == ["error"], answer.types
    assert answer.events[0]["message"], "an error without a message"
