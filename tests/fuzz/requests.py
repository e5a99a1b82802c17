"""Real requests, one of every kind: what the mutations begin with. A `{name}` is an id of the ground's."""

from dataclasses import dataclass
from typing import Any

SAID = {"content": [{"type": "input_text", "text": "hello"}], "attachments": [], "inference_options": {}}
SENT = {**SAID, "attachments": ["{attachment}"], "quoted_text": "hel"}
ACTION = {"type": "shop.greet", "payload": {"to": ["you"]}}
FILE = {"name": "a.txt", "size": 10, "mime_type": "text/plain"}
ANSWERS = {"status": "answered", "answers": {"q1": {"values": ["a"]}, "q2": {"values": [], "skipped": True}}}

PARAMS: dict[str, dict[str, Any]] = {
    "threads.create": {"input": SENT},
    "threads.add_user_message": {"thread_id": "{thread}", "input": SAID},
    "threads.add_client_tool_output": {"thread_id": "{thread}", "result": {"found": [1, 2.5, None, True]}},
    "threads.add_structured_input": {"thread_id": "{thread}", "item_id": "{questions}", "input": ANSWERS},
    "threads.retry_after_item": {"thread_id": "{thread}", "item_id": "{message}"},
    "threads.custom_action": {"thread_id": "{thread}", "item_id": "{widget}", "action": ACTION},
    "threads.sync_custom_action": {"thread_id": "{thread}", "item_id": "{widget}", "action": ACTION},
    "threads.get_by_id": {"thread_id": "{thread}"},
    "threads.list": {"limit": 10, "order": "asc", "after": "{thread}"},
    "threads.update": {"thread_id": "{thread}", "title": "A title"},
    "threads.delete": {"thread_id": "{thread}"},
    "items.list": {"thread_id": "{thread}", "limit": 10, "order": "desc", "after": "{message}"},
    "items.feedback": {"thread_id": "{thread}", "item_ids": ["{message}"], "kind": "positive"},
    "attachments.create": FILE,
    "attachments.delete": {"attachment_id": "{attachment}"},
    "input.transcribe": {"audio_base64": "AAAA", "mime_type": "audio/webm"},
}
"""Of the protocol's sixteen request types."""

METADATA = {"page": "/shop", "tags": ["a"]}
ATTACH = {"type": "run.attach", "payload": {"run_id": "{run}"}}
CHATKIT: list[dict[str, Any]] = [
    *({"type": name, "params": params, "metadata": METADATA} for name, params in PARAMS.items()),
    {"type": "threads.custom_action", "params": {"thread_id": "{thread}", "action": ATTACH}},
    {"message": "hello"},
    {"message": "hello", "thread_id": "{thread}", "metadata": METADATA},
]


@dataclass(frozen=True)
class Door:
    """A method and an address, the names of its query, and a body where it takes one."""

    method: str
    path: str
    query: tuple[str, ...] = ()
    body: dict[str, Any] | None = None


DOORS = (
    *(Door("POST", "/chatkit", body=body) for body in CHATKIT),
    Door("GET", "/runs/{run}"),
    Door("GET", "/runs/{run}/events", ("after", "dialect")),
    Door("POST", "/runs/{run}/cancel"),
    Door("GET", "/api/conversations", ("limit", "after", "q")),
    Door("GET", "/api/conversations/{thread}"),
    Door("GET", "/api/conversations/{thread}/messages", ("limit", "after")),
    Door("PATCH", "/api/conversations/{thread}", body={"title": "Another"}),
    Door("DELETE", "/api/conversations/{thread}"),
    Door("GET", "/api/tasks"),
    Door("GET", "/api/models"),
    Door("GET", "/attachments/{attachment}", ("expires", "signature")),
    Door("PUT", "/attachments/{attachment}", ("expires", "signature"), body={}),
    Door("POST", "/attachments", body={}),
    Door("POST", "/dev/token", body={"user": "ann"}),
)


def filled(value: Any, ids: dict[str, str]) -> Any:
    """The value with the ground's ids in their places."""
    match value:
        case str() if value.startswith("{") and value[1:-1] in ids:
            return ids[value[1:-1]]
        case dict():
            return {name: filled(inner, ids) for name, inner in value.items()}
        case list():
            return [filled(inner, ids) for inner in value]
        case _:
            return value
