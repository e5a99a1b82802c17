"""Talking to the system as a client does, in few words."""

from typing import Any

import httpx

from tests.house import eventually
from tests.sse import Frame, frames, user_message


def say(client: httpx.Client, text: str, thread_id: str | None = None) -> list[Frame]:
    """Everything that is streamed in answer."""
    with client.stream("POST", "/chatkit", json=user_message(text, thread_id)) as answer:
        assert answer.status_code == 200, answer.read()
        return list(frames(answer.iter_lines()))


def submit(client: httpx.Client, text: str, thread_id: str | None = None) -> tuple[str, str]:
    """Say something and drop the line at once: (run id, thread id)."""
    with client.stream("POST", "/chatkit", json=user_message(text, thread_id)) as answer:
        assert answer.status_code == 200, answer.read()
        return answer.headers["X-Run-Id"], answer.headers["X-Thread-Id"]


def ended(client: httpx.Client, run_id: str) -> dict[str, Any]:
    """The run's record, once it has ended."""
    eventually(lambda: client.get(f"/runs/{run_id}").json()["status"] in ("completed", "failed", "cancelled"))
    record: dict[str, Any] = client.get(f"/runs/{run_id}").json()
    return record


def messages(client: httpx.Client, thread_id: str) -> list[dict[str, Any]]:
    """What the conversation holds."""
    data: list[dict[str, Any]] = client.get(f"/api/conversations/{thread_id}/messages?limit=100").json()["data"]
    return data


def thread_of(received: list[Frame]) -> str:
    """The thread that a stream has begun."""
    thread_id: str = received[0].data["thread"]["id"]
    return thread_id


def shown_text(received: list[Frame]) -> str:
    """The assistant's text that these ChatKit frames end in: what was done and not removed."""
    shown: dict[str, str] = {}
    for event in (frame.data for frame in received if isinstance(frame.data, dict)):
        if event["type"] == "thread.item.done" and event["item"]["type"] == "assistant_message":
            shown[event["item"]["id"]] = "".join(part["text"] for part in event["item"]["content"])
        if event["type"] == "thread.item.removed":
            shown.pop(event["item_id"], None)
    return "".join(shown.values())
