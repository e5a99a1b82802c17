"""What an API process measures: each of its metrics, and the verb it is told by; and what counts its requests."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import Admission
from api.cancel import Cancel
from api.census import Census
from shared.metrics import LONG, Meter, Numbers

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class StreamEnd(StrEnum):
    """Why a stream has ended: with its run, or before it."""

    END = "end"
    COME_BACK = "come_back"
    """Nobody carries the run out: the reader is to come back later."""
    LEFT = "left"
    SLOW = "slow"
    """The reader did not read."""
    TOKEN = "token"
    CLOSING = "closing"
    FAILED = "failed"
    """An error of ours."""


@dataclass
class Stream:
    """One stream that is open, and what is known of its end."""

    ended: StreamEnd = StreamEnd.FAILED


class ApiMeter(Meter):
    """One API process's measures."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = self._counter("http_requests", "Answers begun.", method=(), route=(), status=())
        self._answer = self._histogram(
            "http_request_seconds", "From a request to the beginning of its answer.", "method", "route"
        )
        self._refusals = self._counter("refusals", "Requests refused with a problem, by its type.", reason=())
        self._streams_ended = self._counter("streams_ended", "Streams that have ended, by why.", reason=StreamEnd)
        self._stream = self._histogram("stream_seconds", "How long streams were open.", buckets=LONG)
        self._open = 0
        self._gauges("streams_open", "Streams that are open.", lambda: {(): self._open})

    def read_runs(self, admission: Admission, cancel: Cancel) -> None:
        """Show at each scrape what these have done."""
        self._counts(
            "runs_admitted",
            "Runs admitted.",
            lambda: {(kind,): number for kind, number in admission.admitted.items()},
            "kind",
        )
        self._counts("runs_cancelled_waiting", "Runs cancelled while they waited.", lambda: {(): cancel.ended_waiting})

    def read_census(self, census: Census) -> None:
        """Show at each scrape how the whole system stood when it was last looked at."""

        def of_queue(name: str) -> Callable[[], Numbers]:
            return lambda: {(): getattr(census.standing, name)} if census.standing else {}

        self._gauges("queue_waiting", "Runs that wait, for a worker or for their user's own.", of_queue("waiting"))
        self._gauges(
            "queue_oldest_seconds",
            "How long the longest that was rung for has waited.",
            of_queue("oldest_seconds"),
        )
        self._gauges("runs_running", "Runs that workers are carrying out.", of_queue("running"))
        self._gauges(
            "workers_seen",
            "Workers that said in the last ten seconds that they are there.",
            lambda: {} if census.workers is None else {(): census.workers},
        )
        self._gauges(
            "server_up",
            "Whether the server answered this process when it was last asked.",
            lambda: {("postgres",): census.standing is not None, ("redis",): census.workers is not None},
            "server",
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer has begun, so many seconds after its request."""
        self._requests.labels(method, route, status).inc()
        self._answer.labels(method, route).observe(seconds)

    def refused(self, reason: str) -> None:
        """A request was refused with a problem of this type."""
        self._refusals.labels(reason).inc()

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """Around a stream that is open; its end is told by setting it."""
        began, stream = time.monotonic(), Stream()
        self._open += 1
        try:
            yield stream
        finally:
            self._open -= 1
            self._streams_ended.labels(stream.ended).inc()
            self._stream.observe(time.monotonic() - began)


class Metered:
    """Counts every answer as it begins: once a request, and a stream is not held up."""

    def __init__(self, app: ASGIApp, meter: ApiMeter) -> None:
        self._app, self._meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, begun = time.monotonic(), False

        def begins(status: int) -> None:
            nonlocal begun
            begun = True
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._meter.answered(method, _template(scope), status, time.monotonic() - began)

        def seen(message: Message) -> Awaitable[None]:
            if not begun:
                begins(message["status"])
            return send(message)

        try:
            await self._app(scope, receive, seen)
        except Exception:
            # The answer to this one is made outside of here.
            if not begun:
                begins(500)
            raise


def _template(scope: Scope) -> str:
    """The route as it was declared, without the ids; `pages` for files, and for whatever else somebody asks for."""
    route = scope.get("route")
    return getattr(route, "path", "") or "pages"
