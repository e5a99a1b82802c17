"""An OpenTelemetry collector for tests: takes spans by OTLP over HTTP, and keeps them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Told:
    """One span, as its process has told of it; times in nanoseconds of the Unix clock."""

    process: str
    name: str
    trace: str
    id: str
    parent: str | None
    start: int
    end: int
    attributes: dict[str, Any]
    linked: tuple[str, ...]
    """The traces that it points to."""
    failed: bool

    @property
    def milliseconds(self) -> float:
        return (self.end - self.start) / 1e6


class Collector:
    """What has been told so far."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Told] = []
        self.bodies: list[bytes] = []
        """The very bytes that have left the processes."""

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.bodies.append(body)
        for resource in request.resource_spans:
            process = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
            self.spans += [_told(process, span) for scope in resource.scope_spans for span in scope.spans]

    def of(self, trace: str) -> list[Told]:
        """The spans of one trace, in the order of their beginnings."""
        return sorted((span for span in list(self.spans) if span.trace == trace), key=lambda span: span.start)


def _told(process: str, span: Span) -> Told:
    return Told(
        process=process,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex() or None,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes={one.key: _value(one.value) for one in span.attributes},
        linked=tuple(link.trace_id.hex() for link in span.links),
        failed=span.status.code == 2,
    )


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


@contextmanager
def running_collector() -> Iterator[Collector]:
    """The collector in a thread of its own, on a free port."""
    collector = Collector()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield collector
        finally:
            server.shutdown()
