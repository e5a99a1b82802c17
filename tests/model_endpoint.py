"""An OpenAI-compatible chat-completions server for tests: told what to say, it records what it is asked.

In the test's own process:

    with running_endpoint() as endpoint:  # MODEL=test, MODEL_BASE_URL=endpoint.url
        endpoint.replies(Call("add_task", {"title": "milk"}), Text("Done, milk is on your list."))
        endpoint.answers_to("story", Text("Once upon a time").waits_at(2))
        await endpoint.reached(tokens=2)
        endpoint.release()
        endpoint.requests[-1].body, .tokens, .finished, .closed

As a process of its own, steered over /control (see model_server.py): `python -m tests.model_endpoint --port N`.
"""

import argparse
import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import uvicorn
from starlette.applications import Starlette

from tests.model_replies import (
    PROVIDER_SECRET,
    Call,
    Calls,
    Failure,
    Hang,
    Reply,
    Scripted,
    Text,
    as_reply,
    from_json,
    to_json,
)
from tests.model_server import Received, model_routes

__all__ = [
    "PROVIDER_SECRET",
    "Call",
    "Calls",
    "Endpoint",
    "Failure",
    "Hang",
    "Received",
    "Reply",
    "Scripted",
    "Text",
    "from_json",
    "running_endpoint",
    "to_json",
]

Chooser = Callable[[Received], Scripted | None]


class Endpoint:
    """What a test holds: script it, wait for its states, read its requests. Safe from any thread."""

    def __init__(self) -> None:
        self.url = ""
        """The base URL: of OpenAI's interface, as MODEL_BASE_URL."""
        self.requests: list[Received] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        self._changed = threading.Condition()
        self.reset()

    @property
    def gemini_url(self) -> str:
        """The base URL of Gemini's own interface, for MODEL=gemini/…"""
        return self.url.removesuffix("/v1") + "/gemini"

    def reset(self) -> None:
        """Forgets requests and script; what is being said goes on."""
        with self._changed:
            self.requests.clear()
            self.default: Scripted = Text("Hello from the test model.")
            self._queue: deque[Scripted] = deque()
            self._choosers: list[Chooser] = []

    # Saying

    def replies(self, *scripted: Scripted) -> None:
        """Says these next, one per request, in order; then `default`."""
        self._queue.extend(scripted)

    def answers(self, chooser: Chooser) -> None:
        """Asks `chooser` before the queue; None passes the request on."""
        self._choosers.append(chooser)

    def answers_to(self, contains: str, *scripted: Scripted) -> None:
        """Says these, step by step, whenever the last user message contains the words."""

        def chooser(request: Received) -> Scripted | None:
            if contains.lower() not in request.user.lower():
                return None
            return scripted[min(request.step, len(scripted) - 1)]

        self.answers(chooser)

    def release(self, contains: str = "") -> None:
        """Opens one more gate of every request so far whose user message contains the words."""
        with self._changed:
            for request in self.requests:
                if contains in request.user:
                    request.opened += 1
                    if self.loop:
                        self.loop.call_soon_threadsafe(request.moved.set)

    # Waiting: each gives the request, and raises AssertionError when the state does not come

    async def asked(self, times: int = 1) -> Received:
        """So many requests have come."""
        return await self.until(lambda: len(self.requests) >= times and self.requests[times - 1])

    async def reached(self, *, tokens: int, nth: int = -1) -> Received:
        """So many tokens have been sent."""
        return await self.until(lambda: self.requests[nth].tokens >= tokens and self.requests[nth])

    async def left(self, nth: int = -1) -> Received:
        """The client has closed the connection before the end."""
        return await self.until(lambda: self.requests[nth].closed and self.requests[nth])

    async def until(self, state: Callable[[], Received | bool], *, seconds: float = 10) -> Received:
        return await anyio.to_thread.run_sync(partial(self.wait, state, seconds=seconds))

    def wait(self, state: Callable[[], Received | bool], *, seconds: float = 10) -> Received:
        """The same for tests without an event loop; `state` is looked at after each change."""
        with self._changed:
            found = self._changed.wait_for(lambda: bool(self.requests) and state(), seconds)
            assert isinstance(found, Received), f"waited {seconds} s in vain; requests: {self.requests!r}"
            return found

    # For the server

    def choose(self, request: Received) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            chosen = next((reply for chooser in self._choosers if (reply := chooser(request))), None)
            return as_reply(chosen or (self._queue.popleft() if self._queue else self.default))

    def changed(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()


async def _serve(endpoint: Endpoint, server: uvicorn.Server, bound: socket.socket | None = None) -> None:
    endpoint.loop = asyncio.get_running_loop()
    await server.serve(sockets=[bound] if bound else None)


def _server(endpoint: Endpoint, port: int = 0) -> uvicorn.Server:
    app = Starlette(routes=model_routes(endpoint))
    # Silent: a reply that drops its connection does so by an exception.
    return uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, log_level=100, lifespan="off"))


@contextmanager
def running_endpoint() -> Iterator[Endpoint]:
    """The server in a thread of its own, on a free port."""
    endpoint = Endpoint()
    server = _server(endpoint)
    with socket.create_server(("127.0.0.1", 0), backlog=512) as bound:
        endpoint.url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        thread = threading.Thread(target=asyncio.run, args=(_serve(endpoint, server, bound),), daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            server.should_exit = server.force_exit = True
            thread.join(timeout=5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="an OpenAI-compatible model server for tests")
    parser.add_argument("--port", type=int, required=True)
    alone = Endpoint()
    asyncio.run(_serve(alone, _server(alone, parser.parse_args().port)))
