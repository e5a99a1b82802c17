"""A ChatKit client for the walks: every byte it is sent must be what openai-chatkit's types say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from chatkit.types import (
    Attachment,
    Page,
    SyncCustomActionResponse,
    Thread,
    ThreadItem,
    ThreadStreamEvent,
    TranscriptionResult,
)
from pydantic import BaseModel, TypeAdapter

from shared.fold import Fold
from shared.records import Event

Json = dict[str, Any]

REPLIES: dict[str, Any] = {
    "threads.get_by_id": Thread,
    "threads.update": Thread,
    "threads.list": Page[Thread],
    "items.list": Page[ThreadItem],
    "attachments.create": Attachment,
    "threads.sync_custom_action": SyncCustomActionResponse,
    "input.transcribe": TranscriptionResult,
}
"""What each reply is; the others are an empty object."""


@dataclass
class Answer:
    """A streamed answer: its events, and what a client that has seen them all is showing."""

    headers: httpx.Headers
    events: list[Json] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def shown(self) -> list[Json]:
        fold = Fold()
        for event in self.events:
            fold.apply(Event(json.dumps(event).encode()))
        return fold.items()

    @property
    def thread_id(self) -> str:
        """The thread that this answer has begun."""
        thread_id: str = self.of("thread.created")[0]["thread"]["id"]
        return thread_id

    @property
    def text(self) -> str:
        """What the assistant has said in it."""
        parts = [part for item in self.items("assistant_message") for part in item["content"]]
        return "".join(part["text"] for part in parts)

    def of(self, event_type: str) -> list[Json]:
        return [event for event in self.events if event["type"] == event_type]

    def items(self, item_type: str) -> list[Json]:
        """The shown items of a type."""
        return [item for item in self.shown if item["type"] == item_type]


class Client:
    """Speaks the protocol to one address as one user."""

    def __init__(self, url: str, token: str, *, path: str = "/chatkit") -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": "de-CH"}
        limits = httpx.Limits(max_keepalive_connections=0)  # a backend may end an idle connection just when it is used
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30, limits=limits)
        self.path = path

    def ask(self, request_type: str, **params: Any) -> Json:
        """The reply of a request that does not stream."""
        response = self.post(request_type, **params)
        assert response.status_code == 200, f"{request_type} answers {response.status_code}: {response.text[:200]}"
        reply: Json = response.json()
        if request_type in REPLIES:
            check(REPLIES[request_type], reply)
        else:
            assert reply == {}, f"{request_type} answers {reply}"
        return reply

    def stream(self, request_type: str, **params: Any) -> Answer:
        """The whole answer of a request that streams."""
        with self.streaming(request_type, **params) as (response, events):
            return Answer(response.headers, list(events))

    @contextmanager
    def streaming(self, request_type: str, **params: Any) -> Iterator[tuple[httpx.Response, Iterator[Json]]]:
        """An answer as it comes."""
        with self.http.stream("POST", self.path, json=_request(request_type, params)) as response:
            if response.status_code != 200:
                response.read()
                raise AssertionError(f"{request_type} answers {response.status_code}: {response.text[:200]}")
            media_type = response.headers["content-type"]
            assert media_type.startswith("text/event-stream"), f"{request_type} streams {media_type}"
            yield response, _events(response)

    def read(self, place: str) -> Answer:
        """A whole answer from the place where it can be read again."""
        with self.http.stream("GET", place) as response:
            assert response.status_code == 200, f"{place} answers {response.status_code}"
            return Answer(response.headers, list(_events(response)))

    def post(self, request_type: str, **params: Any) -> httpx.Response:
        """The bare response of any request."""
        return self.http.post(self.path, json=_request(request_type, params))

    # The usual requests, in few words

    def begin(self, text: str, **options: Any) -> Answer:
        """Say something in a new thread."""
        return self.stream("threads.create", input=message(text, **options))

    def say(self, thread_id: str, text: str, **options: Any) -> Answer:
        """Say something in this thread."""
        return self.stream("threads.add_user_message", thread_id=thread_id, input=message(text, **options))

    def items(self, thread_id: str) -> list[Json]:
        """Everything that the thread shows, in order."""
        found: list[Json] = []
        after = None
        while True:
            page = self.ask("items.list", thread_id=thread_id, limit=50, order="asc", after=after)
            found += page["data"]
            if not page["has_more"]:
                return found
            after = page["after"]


def message(text: str, **options: Any) -> Json:
    """A user's message as the frontend sends it."""
    content = [{"type": "input_text", "text": text}]
    return {"content": content, "attachments": [], "inference_options": {}, **options}


def check(kind: Any, value: Any) -> None:
    """The value is of the type, and nothing of it is unknown to the type."""
    model = _adapter(kind).validate_python(value)
    context = {"exclude_metadata": True}
    if isinstance(model, BaseModel):
        known = model.model_dump(mode="json", by_alias=True, exclude_none=True, context=context)
    else:
        known = _adapter(kind).dump_python(model, mode="json", by_alias=True, exclude_none=True, context=context)
    assert _timeless(known) == _timeless(value), f"more than its type: {value}"


def _request(request_type: str, params: Json) -> Json:
    return {"type": request_type, "params": {name: value for name, value in params.items() if value is not None}}


def _events(response: httpx.Response) -> Iterator[Json]:
    for line in _lines(response):
        if line.startswith(b"data: "):
            event: Json = json.loads(line.removeprefix(b"data: "))
            check(ThreadStreamEvent, event)
            yield event


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """Lines as SSE has them: httpx's own end at U+2028 too, which JSON may hold."""
    rest = b""
    for chunk in response.iter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _timeless(value: Any) -> Any:
    """Without null values and moments, which may be written in more than one way."""
    match value:
        case dict():
            kept = {name: inner for name, inner in value.items() if inner is not None and name != "created_at"}
            return {name: _timeless(inner) for name, inner in kept.items()}
        case list():
            return [_timeless(inner) for inner in value]
        case _:
            return value
