"""Client tools, a streamed widget, structured input, dictation, attachments: with tests/contract/servers/desk.py."""

import base64
from typing import Any

from tests.contract.client import Answer, message
from tests.contract.servers.desk import POEM
from tests.contract.walk import Backend, walk


@walk("a client tool's call waits, and survives a reload", server="desk")
def pending_call(backend: Backend) -> None:
    answer = backend.client.begin("where am I")
    call = answer.items("client_tool_call")[0]
    assert (call["status"], call["name"], call["arguments"]) == ("pending", "get_location", {"precision": "city"})
    assert backend.client.ask("threads.get_by_id", thread_id=answer.thread_id)["items"]["data"][-1] == call


@walk("threads.add_client_tool_output completes the call and goes on", server="desk")
def tool_output(backend: Backend) -> None:
    answer = backend.client.begin("where am I")
    output = {"city": "Bern", "at": [46.9, 7.4]}
    rest = backend.client.stream("threads.add_client_tool_output", thread_id=answer.thread_id, result=output)
    assert rest.text == "You are in Bern."
    call = next(item for item in backend.client.items(answer.thread_id) if item["type"] == "client_tool_call")
    assert (call["status"], call["output"]) == ("completed", output)


@walk("a widget streams its text", server="desk")
def streamed_widget(backend: Backend) -> None:
    answer = backend.client.begin("poem")
    updates = [event["update"] for event in answer.of("thread.item.updated")]
    deltas = [update["delta"] for update in updates if update["type"] == "widget.streaming_text.value_delta"]
    assert len(deltas) > 3, updates
    assert "".join(deltas) == POEM
    shown = answer.items("widget")[0]
    assert shown["copy_text"] == POEM
    assert shown in backend.client.items(answer.thread_id)


@walk("threads.add_structured_input answers the questions", server="desk")
def answers(backend: Backend) -> None:
    asked = _asked(backend)
    given = {"drink": {"values": ["tea", "coffee"]}, "name": {"values": ["Ann"]}, "unknown": {"values": ["x"]}}
    rest = _submit(backend, asked, {"status": "answered", "answers": given})
    item = rest.of("thread.item.replaced")[0]["item"]
    assert item["status"] == "answered"
    assert [question["answer"]["values"] for question in item["inputs"]] == [["tea"], ["Ann"]]
    assert rest.text == "You said: answers answered [['tea'], ['Ann']]"
    assert item in backend.client.items(asked.thread_id)


@walk("structured input may be skipped", server="desk")
def skipped(backend: Backend) -> None:
    rest = _submit(backend, _asked(backend), {"status": "skipped", "answers": {}})
    item = rest.of("thread.item.replaced")[0]["item"]
    assert item["status"] == "skipped"
    assert all(question["answer"]["skipped"] for question in item["inputs"])


@walk("input.transcribe answers with the text", server="desk")
def transcribe(backend: Backend) -> None:
    audio = base64.b64encode(b"hello").decode()
    reply = backend.client.ask("input.transcribe", audio_base64=audio, mime_type="audio/webm;codecs=opus")
    assert reply == {"text": "audio/webm: hello"}


@walk("Accept-Language reaches the server", server="desk")
def language(backend: Backend) -> None:
    assert backend.client.begin("what language").text == "You said: language de-CH"


@walk("an attachment of the server's own store is created, sent and deleted", server="desk")
def attachment(backend: Backend) -> None:
    made = backend.client.ask("attachments.create", name="map.pdf", size=10, mime_type="application/pdf")
    assert made["upload_descriptor"]["url"] == f"https://files.example.com/{made['id']}"
    answer = backend.client.stream("threads.create", input=message("keep this", attachments=[made["id"]]))
    kept = answer.items("user_message")[0]["attachments"][0]
    assert (kept["id"], kept["name"], kept["thread_id"]) == (made["id"], "map.pdf", answer.thread_id)
    assert "drawer" not in str(answer.events)
    backend.client.ask("attachments.delete", attachment_id=made["id"])


def _asked(backend: Backend) -> Answer:
    return backend.client.begin("ask me")


def _submit(backend: Backend, asked: Answer, submission: dict[str, Any]) -> Answer:
    item = asked.items("structured_input")[0]
    assert item["status"] == "pending"
    params = {"thread_id": asked.thread_id, "item_id": item["id"]}
    return backend.client.stream("threads.add_structured_input", **params, input=submission)
