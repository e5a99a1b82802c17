"""The model endpoint's routes: the model itself with its bad habits, and /control for a test in another process."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.model_replies import PROVIDER_SECRET, Reply, Scripted, from_json
from tests.model_wire import CHAT, GEMINI, Wire


@dataclass
class Received:
    """One request, and how far its answer has come."""

    body: dict[str, Any]
    headers: dict[str, str]
    tokens: int = 0
    """How many have been sent."""
    finished: bool = False
    """All that was scripted has been sent."""
    closed_at: float | None = None
    """When the client went away before that, as `time.time()`."""
    opened: int = 0
    """How many gates `release()` has opened."""
    moved: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages", ()))

    @property
    def user(self) -> str:
        """The last user message's text."""
        content = next((m["content"] for m in reversed(self.messages) if m["role"] == "user"), "")
        return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)

    @property
    def step(self) -> int:
        """How many times the model has spoken since that message: 0, 1, 2 …"""
        last = max((n for n, m in enumerate(self.messages) if m["role"] == "user"), default=0)
        return sum(1 for m in self.messages[last:] if m["role"] == "assistant")

    def to_json(self) -> dict[str, Any]:
        names = ("body", "headers", "tokens", "finished", "closed", "closed_at", "user", "step")
        return {name: getattr(self, name) for name in names}


class Script(Protocol):
    """What the routes need of an Endpoint."""

    requests: list[Received]
    default: Scripted

    def choose(self, request: Received) -> Reply: ...
    def changed(self, change: Callable[[], None]) -> None: ...
    def replies(self, *scripted: Scripted) -> None: ...
    def answers_to(self, contains: str, *scripted: Scripted) -> None: ...
    def release(self, contains: str = "") -> None: ...
    def reset(self) -> None: ...


class ConnectionDropped(Exception):
    """Raised through the server so that it drops the connection."""


class Model:
    """An ASGI app that answers one request as it is told, and watches its client meanwhile."""

    def __init__(self, script: Script, wire: Wire) -> None:
        self._script = script
        self._wire = wire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = Request(scope, receive)
        request = Received(await http.json(), dict(http.headers))
        reply = self._script.choose(request)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, request, receive, group.cancel_scope)
            if reply.status == 0:
                await anyio.sleep_forever()
            elif response := self._at_once(request, reply):
                await response(scope, receive, send)
            else:
                await Speech(self._script, self._wire, request, reply, send).stream()
            self._script.changed(partial(setattr, request, "finished", True))
            group.cancel_scope.cancel()

    async def _watch(self, request: Received, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not request.finished:
            self._script.changed(partial(setattr, request, "closed_at", time.time()))
        scope.cancel()

    def _at_once(self, request: Received, reply: Reply) -> Response | None:
        if reply.status != 200:
            # Providers quote what they were asked.
            message = f"{PROVIDER_SECRET}: {request.user}"
            error = {"error": {"message": message, "type": "test", "code": None}}
            # The client's own back-off would cost each test seconds.
            return JSONResponse(error, status_code=reply.status, headers={"retry-after-ms": "1"})
        return None if self._wire.streams(request.body) else JSONResponse(self._wire.whole(reply))


@dataclass
class Speech:
    """One reply on its way, token by token, with its habits between the tokens."""

    script: Script
    wire: Wire
    request: Received
    reply: Reply
    send: Send

    async def stream(self) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        completion_id = f"chatcmpl-{uuid.uuid4().hex}"
        for frame in self.wire.frames(completion_id, self.reply):
            await self._misbehave()
            if self.request.tokens == self.reply.cut_at:
                break
            await self._write(frame)
            self.script.changed(partial(setattr, self.request, "tokens", self.request.tokens + 1))
            await anyio.sleep(self.reply.seconds_per_token)
        if self.request.tokens != self.reply.cut_at:
            await self._misbehave()
            await self._write(self.wire.end(completion_id, self.reply, self.request.tokens))
        await self.send({"type": "http.response.body", "body": b""})

    async def _misbehave(self) -> None:
        sent, reply = self.request.tokens, self.reply
        if sent in reply.gates:
            await self._pass(reply.gates.index(sent))
        if sent == reply.garble_at:
            await self._write(f'data: {{"choices": [{{{PROVIDER_SECRET}\n\n'.encode())
        if sent == reply.break_at:
            raise ConnectionDropped
        if sent == reply.hang_at:
            await self._hang()

    async def _pass(self, gate: int) -> None:
        while self.request.opened <= gate:
            self.request.moved.clear()
            await self.request.moved.wait()

    async def _hang(self) -> None:
        while self.reply.keep_alive:
            await self._write(b": keep-alive\n\n")
            await anyio.sleep(0.05)
        await anyio.sleep_forever()

    async def _write(self, frame: bytes) -> None:
        await self.send({"type": "http.response.body", "body": frame, "more_body": True})


class Control:
    """The Endpoint's verbs over HTTP. Replies are bodies made by `to_json`."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def requests(self, request: Request) -> Response:
        return JSONResponse([received.to_json() for received in list(self._script.requests)])

    async def replies(self, request: Request) -> Response:
        """Body: a list of replies."""
        self._script.replies(*(from_json(reply) for reply in await request.json()))
        return Response(status_code=204)

    async def answers_to(self, request: Request) -> Response:
        """Body: {"contains": words, "replies": a list of replies}."""
        rule = await request.json()
        self._script.answers_to(rule["contains"], *(from_json(reply) for reply in rule["replies"]))
        return Response(status_code=204)

    async def default(self, request: Request) -> Response:
        """Body: a reply."""
        self._script.default = from_json(await request.json())
        return Response(status_code=204)

    async def release(self, request: Request) -> Response:
        """`?contains=words`, or all."""
        self._script.release(request.query_params.get("contains", ""))
        return Response(status_code=204)

    async def reset(self, request: Request) -> Response:
        self._script.reset()
        return Response(status_code=204)


def model_routes(script: Script) -> list[Route]:
    control = Control(script)
    verbs = (control.replies, control.answers_to, control.default, control.release, control.reset)
    return [
        Route("/v1/chat/completions", Model(script, CHAT), methods=["POST"]),
        Route("/gemini/models/{rest:path}", Model(script, GEMINI), methods=["POST"]),
        Route("/control/requests", control.requests, methods=["GET"]),
        *(Route(f"/control/{verb.__name__}", verb, methods=["POST"]) for verb in verbs),
    ]
