"""What a request can name, by route and by request type: the lines of tests/api/test_isolation.py's matrix."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.api.belongings import MINE, NOWHERE
from tests.sse import user_message

ANN, BEN = "ann-the-other", "ben-who-asks"


@dataclass(frozen=True)
class Ask:
    """One request; `{name}` in it stands for an id of that name."""

    method: str
    address: str
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """What it names, of `NOWHERE`'s kinds."""
        return sorted(set(re.findall(r"{(\w+)}", f"{self.address} {self.parts}")) & NOWHERE.keys())

    def with_ids(self, ids: dict[str, str]) -> dict[str, Any]:
        """The request as httpx takes it."""
        filled: dict[str, Any] = _filled({"method": self.method, "url": self.address, **self.parts}, ids)
        return filled


def _filled(value: Any, ids: dict[str, str]) -> Any:
    match value:
        case str():
            return value.format_map(ids)
        case dict():
            return {name: _filled(part, ids) for name, part in value.items()}
        case list():
            return [_filled(part, ids) for part in value]
        case _:
            return value


def said(text: str = "hi", **parts: Any) -> dict[str, Any]:
    """A message's input."""
    message: dict[str, Any] = user_message(text)["params"]["input"]
    return {**message, **parts}


SKIPPED = {"status": "skipped", "answers": {}}
PRESSED = {"type": "shop.greet", "payload": {}}
ATTACH = {"type": "run.attach", "payload": {}}
ATTACH_TO = {"type": "run.attach", "payload": {"run_id": "{run}"}}
THREAD = {"thread_id": "{conversation}"}

ROUTES: dict[str, list[Ask]] = {
    "POST /attachments": [Ask("POST", "/attachments", {"files": {"file": ("a.txt", MINE, "text/plain")}})],
    "PUT /attachments/{attachment_id}": [
        Ask("PUT", "/attachments/{awaited}", {"content": MINE}),
        Ask("PUT", "/attachments/{awaited}?{may_put}", {"content": MINE}),
    ],
    "GET /attachments/{attachment_id}": [
        Ask("GET", "/attachments/{attachment}"),
        Ask("GET", "/attachments/{attachment}?{may_get}"),
    ],
    "GET /api/models": [Ask("GET", "/api/models")],
    "GET /runs/{run_id}": [Ask("GET", "/runs/{run}")],
    "GET /runs/{run_id}/events": [Ask("GET", "/runs/{run}/events"), Ask("GET", "/runs/{run}/events?dialect=simple")],
    "POST /runs/{run_id}/cancel": [Ask("POST", "/runs/{run}/cancel")],
    "GET /api/conversations": [
        Ask("GET", "/api/conversations"),
        Ask("GET", "/api/conversations?q=title"),
        Ask("GET", "/api/conversations?after={conversation}"),
    ],
    "GET /api/conversations/{conversation_id}": [Ask("GET", "/api/conversations/{conversation}")],
    "GET /api/conversations/{conversation_id}/messages": [
        Ask("GET", "/api/conversations/{conversation}/messages"),
        Ask("GET", "/api/conversations/{conversation}/messages?after={message}"),
    ],
    "PATCH /api/conversations/{conversation_id}": [
        Ask("PATCH", "/api/conversations/{conversation}", {"json": {"title": "mine"}})
    ],
    "DELETE /api/conversations/{conversation_id}": [Ask("DELETE", "/api/conversations/{conversation}")],
    "GET /api/tasks": [Ask("GET", "/api/tasks")],
    "GET /metrics": [Ask("GET", "/metrics")],
    "GET /livez": [Ask("GET", "/livez")],
    "GET /readyz": [Ask("GET", "/readyz")],
    "GET /playground.json": [Ask("GET", "/playground.json")],
    "POST /dev/token": [Ask("POST", "/dev/token", {"json": {"user": BEN}})],
    "GET /": [Ask("GET", "/")],
}

REQUESTS: dict[str, list[dict[str, Any]]] = {
    "threads.create": [{"input": said(attachments=["{attachment}"])}],
    "threads.add_user_message": [
        {**THREAD, "input": said()},
        {**THREAD, "input": said(attachments=["{attachment}"])},
    ],
    "threads.add_client_tool_output": [{**THREAD, "result": 1}],
    "threads.add_structured_input": [{**THREAD, "item_id": "{questions}", "input": SKIPPED}],
    "threads.retry_after_item": [{**THREAD, "item_id": "{message}"}],
    "threads.custom_action": [
        {**THREAD, "action": PRESSED},
        {**THREAD, "item_id": "{widget}", "action": PRESSED},
        {**THREAD, "action": ATTACH},
        {**THREAD, "action": ATTACH_TO},
    ],
    "threads.get_by_id": [THREAD],
    "threads.list": [{}, {"after": "{conversation}"}],
    "items.list": [THREAD, {**THREAD, "after": "{message}"}],
    "items.feedback": [{**THREAD, "item_ids": ["{message}"], "kind": "positive"}],
    "attachments.create": [{"name": "a.txt", "size": 4, "mime_type": "text/plain"}],
    "attachments.delete": [{"attachment_id": "{attachment}"}],
    "threads.update": [{**THREAD, "title": "mine"}],
    "threads.delete": [THREAD],
    "input.transcribe": [{"audio_base64": "AAAA", "mime_type": "audio/wav"}],
    "threads.sync_custom_action": [
        {**THREAD, "action": PRESSED},
        {**THREAD, "item_id": "{widget}", "action": PRESSED},
    ],
}

_SIMPLE = {"message": "hi", "thread_id": "{conversation}"}
MORE = [
    Ask("POST", "/chatkit", {"json": _SIMPLE}),
    Ask("POST", "/chatkit", {"json": _SIMPLE, "headers": {"Idempotency-Key": ANN}}),  # the key that Ann has used
]
READS = ("threads.get_by_id", "threads.list", "items.list")


def chatkit(*kinds: str) -> list[Ask]:
    """The lines of these request types."""
    bodies = [{"type": kind, "params": params} for kind in kinds for params in REQUESTS[kind]]
    return [Ask("POST", "/chatkit", {"json": body}) for body in bodies]


def cells() -> Iterator[tuple[Ask, tuple[str, ...]]]:
    """Each request with each choice of which of its names are another's."""
    for ask in (*itertools.chain.from_iterable(ROUTES.values()), *chatkit(*REQUESTS), *MORE):
        names = ask.names
        yield from ((ask, (name,)) for name in names)
        if len(names) != 1:
            yield ask, tuple(names)
