"""The OpenTelemetry SDK, set up: whom spans are sent to, which traces are begun, and what leaves the process of them.

Imported only where a collector is named (see shared/tracing.py).
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Timer
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor, HTTPXClientInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, Status, Tracer, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers
from opentelemetry.util.types import Attributes

from shared.settings import Settings

LAST_SECONDS = 2.0
"""What a stopping process gives its last spans to arrive."""
MAX_LENGTH = 500
"""Of an attribute, in characters; a statement is known by its beginning."""

UNTOLD = ("url.path", "url.query", "http.target", "exception.message", "exception.stacktrace")
"""Attributes that hold what a user or a provider wrote; the route's template says where a request went."""
ADDRESSES = ("url.full", "http.url")
"""Told up to the question mark: some providers take their key in the query."""


def start(settings: Settings, endpoint: str, *, process: str) -> tuple[Tracer, Callable[[], None]]:
    """Our tracer, and what sends the rest at the end. What the SDK's other names say (OTEL_*) counts as well."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": settings.otel_service_name or f"chatkit-{process}"}),
        span_limits=SpanLimits(max_events=0),
    )
    provider.sampler = OwnRoots(provider.sampler)
    headers = settings.otel_exporter_otlp_headers
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        headers=parse_env_headers(headers.get_secret_value(), liberal=True) if headers else None,
    )
    provider.add_span_processor(BatchSpanProcessor(Discreet(exporter)))

    def stop() -> None:
        # A collector that is away would be tried for ten seconds, while the process is waited for.
        impatience = Timer(LAST_SECONDS, exporter.shutdown)
        impatience.start()
        provider.shutdown()
        impatience.cancel()

    trace.set_tracer_provider(provider)
    # Without the SDK's other default, baggage: what a client sends there would go on to the model's provider.
    set_global_textmap(TraceContextTextMapPropagator())
    for library in (PsycopgInstrumentor, RedisInstrumentor, HTTPXClientInstrumentor, HTTPX2ClientInstrumentor):
        library().instrument(tracer_provider=provider)
    return provider.get_tracer("chatkit-runs"), stop


class OwnRoots(Sampler):
    """Samples as the SDK was told to, but no library's call begins a trace: sweeps, leases and batches have none."""

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        if kind is SpanKind.CLIENT and not parent.is_valid:
            return SamplingResult(Decision.DROP)
        return self._inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"OwnRoots({self._inner.get_description()})"


class Discreet(SpanExporter):
    """Sends spans on without what a user or a provider wrote, whichever library has put it there."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([discreet(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def discreet(span: ReadableSpan) -> ReadableSpan:
    """The span without events, without its status's words, and without what an address or a path says."""
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes or {}),
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shortened(name, value) for name, value in attributes.items() if name not in UNTOLD}


def _shortened(name: str, value: Any) -> Any:
    if name in ADDRESSES:
        value = value.partition("?")[0]
    return value[:MAX_LENGTH] if isinstance(value, str) else value
