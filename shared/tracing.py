"""One trace of a run, from its HTTP request to each of its model calls and tools: off unless a collector is named.

Off, a span is an object that does nothing. On, it carries names, ids, counts and class names, as a log line does:
never a prompt, a text, an argument, a result or an exception's words.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import TypeVar

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.settings import Settings

T = TypeVar("T")
PRODUCER, CONSUMER = SpanKind.PRODUCER, SpanKind.CONSUMER
Attributes = Mapping[str, str | int | float | bool | None]

_W3C = TraceContextTextMapPropagator()
_NO_SPAN = nullcontext(INVALID_SPAN)


class _Switch:
    """What `configure` has set, once for the process, as logging has it."""

    tracer: Tracer | None = None
    stop: Callable[[], None] | None = None


def configure(settings: Settings, *, process: str) -> None:
    """Export this process's spans to the collector that the settings name; without one, trace nothing."""
    if settings.otel_exporter_otlp_endpoint is None:
        return
    # Deferred: the SDK takes a third of a second to import, which a process without a collector need not wait for.
    from shared import otlp  # noqa: PLC0415

    _Switch.tracer, _Switch.stop = otlp.start(settings, settings.otel_exporter_otlp_endpoint, process=process)


def shutdown() -> None:
    """Send what has not been sent, and trace no more."""
    if _Switch.stop is not None:
        _Switch.stop()
    _Switch.tracer = _Switch.stop = None


def span(
    name: str,
    attributes: Attributes | None = None,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> AbstractContextManager[Span]:
    """The body as a span, current in it; below the current one, or below a `traceparent` of another process."""
    tracer = _Switch.tracer
    return _NO_SPAN if tracer is None else _current(tracer.start_span(name, _context(parent), kind, told(attributes)))


def pending(name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
    """The same, but not current in the body: what an async generator must use, whose caller's context it shares."""
    tracer = _Switch.tracer
    return _NO_SPAN if tracer is None else _ended(tracer.start_span(name, attributes=told(attributes)))


@contextmanager
def _current(one: Span) -> Iterator[Span]:
    with _ended(one), trace.use_span(one, record_exception=False, set_status_on_exception=False):
        yield one


@contextmanager
def _ended(one: Span) -> Iterator[Span]:
    try:
        yield one
    except Exception as error:
        one.set_attribute("error.type", type(error).__name__)
        if getattr(error, "status", 500) >= 500:
            one.set_status(StatusCode.ERROR)
        raise
    finally:
        one.end()


async def within(one: Span, awaited: Awaitable[T]) -> T:
    """What is awaited, with this pending span as the current one."""
    if one is INVALID_SPAN:
        return await awaited
    with trace.use_span(one, record_exception=False, set_status_on_exception=False):
        return await awaited


def past(name: str, attributes: Attributes, *, parent: str | None, start: datetime, end: datetime) -> None:
    """A span that is over already."""
    if _Switch.tracer is not None:
        begun = _Switch.tracer.start_span(
            name, _context(parent), attributes=told(attributes), start_time=_nanoseconds(start)
        )
        begun.end(_nanoseconds(end))


def apart() -> AbstractContextManager[object]:
    """What is started in the body belongs to no trace: a relay asks Redis and Postgres for as long as a run lasts."""
    return _NO_SPAN if _Switch.tracer is None else _apart()


@contextmanager
def _apart() -> Iterator[None]:
    token = attach(Context())
    try:
        yield
    finally:
        detach(token)


def note(name: str, value: str) -> None:
    """Say something more of the current span."""
    if _Switch.tracer is not None:
        trace.get_current_span().set_attribute(name, value)


def link(one: Span, traceparent: str | None) -> None:
    """Say that this span is about another trace's, unless it is in that trace itself."""
    if _Switch.tracer is None or traceparent is None:
        return
    other = trace.get_current_span(_context(traceparent)).get_span_context()
    if other.is_valid and other.trace_id != one.get_span_context().trace_id:
        one.add_link(other)


def traceparent() -> str | None:
    """The current span in W3C's words, for whoever continues its trace; None while nothing is traced."""
    if _Switch.tracer is None:
        return None
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


def trace_id() -> str | None:
    """The current trace's id, in hexadecimal."""
    if _Switch.tracer is None:
        return None
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def told(attributes: Attributes | None) -> dict[str, str | int | float | bool]:
    """Those that are known."""
    return {name: value for name, value in (attributes or {}).items() if value is not None}


def _context(traceparent: str | None) -> Context | None:
    return _W3C.extract({"traceparent": traceparent}, Context()) if traceparent else None


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
