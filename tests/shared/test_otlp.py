"""What leaves a process of a span, and which spans begin a trace."""

import subprocess
import sys

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from shared.otlp import LAST_SECONDS, MAX_LENGTH, Discreet, OwnRoots

SECRET = "what a user wrote"

_AWAY = """
import time
from shared import tracing
from tests.values import settings_of
tracing.configure(settings_of(otel_exporter_otlp_endpoint="http://127.0.0.1:1"), process="api")
with tracing.span("admission"):
    assert tracing.trace_id() in tracing.traceparent()
begun = time.monotonic()
tracing.shutdown()
print(time.monotonic() - begun)
"""


def traced() -> tuple[Tracer, InMemorySpanExporter]:
    """A tracer as `start` makes it, and what it exports."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.sampler = OwnRoots(provider.sampler)
    provider.add_span_processor(SimpleSpanProcessor(Discreet(exporter)))
    return provider.get_tracer("a test"), exporter


def exported(tracer: Tracer, exporter: InMemorySpanExporter, **attributes: str) -> ReadableSpan:
    with tracer.start_as_current_span("one", attributes=attributes):
        pass
    return exporter.get_finished_spans()[-1]


def test_of_an_exception_nothing_is_told_but_that_there_was_one() -> None:
    tracer, exporter = traced()
    try:
        with tracer.start_as_current_span("one"):
            raise ValueError(SECRET)
    except ValueError:
        [span] = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description, len(span.events)) == (StatusCode.ERROR, None, 0)
    assert SECRET not in span.to_json()


def test_of_an_address_neither_its_path_nor_its_query_is_told() -> None:
    tracer, exporter = traced()
    attributes = {"url.path": f"/{SECRET}", "url.query": SECRET, "url.full": f"http://model/v1?key={SECRET}"}
    span = exported(tracer, exporter, **attributes)
    assert dict(span.attributes or {}) == {"url.full": "http://model/v1"}


def test_a_long_attribute_is_told_by_its_beginning() -> None:
    span = exported(*traced(), **{"db.statement": "SELECT " * 1000})
    assert span.attributes is not None
    assert len(str(span.attributes["db.statement"])) == MAX_LENGTH


def test_a_librarys_call_begins_no_trace_and_is_part_of_one() -> None:
    tracer, exporter = traced()
    with tracer.start_as_current_span("EVALSHA", kind=SpanKind.CLIENT):
        assert tracer.start_span("below it").is_recording() is False
    with tracer.start_as_current_span("attempt"), tracer.start_as_current_span("EVALSHA", kind=SpanKind.CLIENT):
        pass
    assert [span.name for span in exporter.get_finished_spans()] == ["EVALSHA", "attempt"]


def test_a_collector_that_is_away_holds_no_process_up() -> None:
    done = subprocess.run([sys.executable, "-c", _AWAY], capture_output=True, text=True, check=True)
    # Left alone, the exporter would try for ten.
    assert float(done.stdout.splitlines()[-1]) < LAST_SECONDS + 3
