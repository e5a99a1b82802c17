"""Without a collector a span is nothing, costs nothing and crosses nowhere. With one: tests/system/test_tracing.py."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from opentelemetry.trace import INVALID_SPAN, get_current_span

from shared import tracing
from tests.values import settings_of

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
ANOTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_OFF = """
import sys
import api.app, worker.main
from shared import tracing
from tests.values import settings_of
tracing.configure(settings_of(), process="api")
with tracing.span("anything"):
    pass
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.instrumentation"))])
"""


async def nothing() -> str:
    return "nothing"


async def test_without_a_collector_there_is_no_span_and_no_id_to_pass_on() -> None:
    tracing.configure(settings_of(), process="api")
    with tracing.span("anything", {"run.id": "run_1"}, parent=ANOTHER) as span, tracing.pending("more") as more:
        assert span is more is INVALID_SPAN
        assert get_current_span() is INVALID_SPAN
        assert await tracing.within(span, nothing()) == "nothing"
        assert (tracing.traceparent(), tracing.trace_id()) == (None, None)
        with tracing.apart():
            tracing.link(span, ANOTHER)
    tracing.past("queue", {}, parent=ANOTHER, start=NOW, end=NOW)
    tracing.shutdown()


def test_without_a_collector_nothing_of_the_sdk_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", _OFF], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_is_not_known_is_not_told() -> None:
    assert tracing.told({"a": 1, "b": None, "c": ""}) == {"a": 1, "c": ""}
