"""One run as its logs and its trace show it, over two real processes; and a picture of it for the documents."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.collector import Collector, Told
from tests.house import House, eventually
from tests.model_endpoint import Call, Endpoint, Received, Text
from tests.sse import frames, user_message
from tests.talk import ended, submit
from tests.waterfall import draw

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
CORRELATION = "order-4711"


@dataclass(frozen=True)
class Answered:
    """A run that was answered, what its HTTP response said, and what its model was asked."""

    run_id: str
    headers: dict[str, str]
    asked: list[Received]


@pytest.fixture(scope="module")
def answered(watched_house: House, model: Endpoint) -> Answered:
    """A run with one tool call, asked for in the middle of somebody else's trace."""
    model.reset()
    with watched_house.client("warm-up") as client:
        # What is imported and connected at a first answer is no part of the picture.
        ended(client, submit(client, "hello")[0])
    model.reset()
    model.replies(
        Call("look_up", {"subject": "the lighthouse"}), Text("It was lit again in spring, after years.").paced(0.02)
    )
    with watched_house.client("traced") as client:
        how = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": CORRELATION, "baggage": "secret=canary"}
        with client.stream("POST", "/chatkit", json=user_message("what of it?"), headers=how) as answer:
            list(frames(answer.iter_lines()))
        ended(client, answer.headers["X-Run-Id"])
        return Answered(answer.headers["X-Run-Id"], dict(answer.headers), list(model.requests))


@pytest.fixture(scope="module")
def spans(answered: Answered, collector: Collector) -> list[Told]:
    """Its whole trace."""
    whole = {"POST /chatkit", "admission", "relay", "queue", "attempt", "model call", "tool call"}
    eventually(lambda: whole <= {span.name for span in collector.of(TRACE)})
    return collector.of(TRACE)


def named(spans: list[Told], name: str) -> Told:
    return next(span for span in spans if span.name == name)


def lines(house: House, **fields: object) -> list[dict[str, Any]]:
    """The log lines of all processes that say this."""
    told = [json.loads(line) for one in (*house.apis, *house.workers) for line in one.text.splitlines()]
    return [line for line in told if fields.items() <= line.items()]


def test_one_trace_goes_from_the_callers_own_over_both_processes_to_the_tool(spans: list[Told]) -> None:
    request, admission, attempt = (named(spans, name) for name in ("POST /chatkit", "admission", "attempt"))
    assert (request.process, request.parent) == ("chatkit-api", CALLER)
    assert (admission.process, admission.parent) == ("chatkit-api", request.id)
    assert (attempt.process, attempt.parent) == ("chatkit-worker", admission.id)
    assert named(spans, "queue").parent == admission.id
    assert named(spans, "relay").parent == request.id
    calls = [span for span in spans if span.name == "model call"]
    assert [call.parent for call in calls] == [attempt.id] * 2
    tool = named(spans, "tool call")
    assert tool.parent == attempt.id
    assert calls[0].end <= tool.start <= tool.end <= calls[1].start


def test_its_spans_say_what_was_done_and_nothing_of_what_was_said(spans: list[Told], answered: Answered) -> None:
    attempt, call, tool = (named(spans, name).attributes for name in ("attempt", "model call", "tool call"))
    assert (attempt["run.id"], attempt["run.attempt"], attempt["run.kind"]) == (answered.run_id, 1, "respond")
    assert (attempt["attempt.outcome"], attempt["run.status"]) == ("ended", "completed")
    assert attempt["correlation"] == CORRELATION
    assert call["gen_ai.request.model"] == "openai/gpt-test"
    assert call["gen_ai.usage.output_tokens"] > 0
    assert call["first_token_ms"] >= 0
    assert (tool["gen_ai.tool.name"], tool["tool.outcome"]) == ("look_up", "finished")
    assert attempt["log.records"] > 0
    assert named(spans, "relay").attributes["stream.end"] == "end"


def test_a_long_answer_makes_no_more_spans_than_a_short_one(spans: list[Told]) -> None:
    redis = [span for span in spans if span.attributes.get("db.system") == "redis"]
    assert len(redis) < 10
    assert not [span for span in redis if span.parent == named(spans, "relay").id]


def test_a_statement_is_told_without_its_values_and_an_address_without_its_query(
    spans: list[Told], collector: Collector
) -> None:
    statements = [str(span.attributes["db.statement"]) for span in collector.spans if "db.statement" in span.attributes]
    assert any("%(user_id)s" in statement for statement in statements)
    assert not any("traced" in statement for statement in statements)
    assert not any("?" in str(span.attributes.get("http.url", "")) for span in collector.spans)


def test_no_trace_begins_with_a_sweep_a_lease_or_a_batch(watched: House, collector: Collector) -> None:
    roots = {span.name for span in collector.spans if span.parent is None}
    assert "POST /chatkit" in roots
    # A request begins a trace, whatever it asks for; nothing that the processes do by themselves does.
    assert {name.split(" ")[0] for name in roots} <= {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"}


def test_a_relay_that_is_taken_up_later_is_a_trace_of_its_own_that_points_to_the_runs(
    watched: House, collector: Collector, answered: Answered
) -> None:
    with watched.client("traced") as client, client.stream("GET", f"/runs/{answered.run_id}/events") as again:
        list(again.iter_lines())
    eventually(lambda: [span for span in collector.spans if TRACE in span.linked])
    [relay] = [span for span in collector.spans if TRACE in span.linked]
    assert (relay.name, relay.process) == ("relay", "chatkit-api")
    assert relay.trace != TRACE


def test_a_model_is_told_of_the_trace_and_not_of_the_clients_baggage(answered: Answered) -> None:
    assert len(answered.asked) == 2
    assert all(TRACE in request.headers["traceparent"] for request in answered.asked)
    assert not any("baggage" in request.headers for request in answered.asked)


def test_every_line_of_a_run_carries_the_callers_correlation_id_in_both_processes(
    watched_house: House, answered: Answered, spans: list[Told]
) -> None:
    run_id, headers = answered.run_id, answered.headers
    assert headers["x-request-id"] == CORRELATION
    [request] = lines(watched_house, event="request", correlation=CORRELATION)
    assert (request["process"], request["method"], request["route"]) == ("api", "POST", "/chatkit")
    assert (request["status"], request["ended"], request["run"]) == (200, "end", run_id)
    assert request["milliseconds"] > 0
    told = lines(watched_house, process="worker", correlation=CORRELATION)
    assert [line["event"] for line in told] == [
        "run claimed",
        "first event",
        "looking up",
        "looking up, in Python's own words",
        "attempt ended",
    ]
    ids = {"run": run_id, "attempt": 1, "conversation": headers["x-thread-id"], "trace": TRACE}
    assert all(ids.items() <= line.items() for line in told)
    assert (told[-1]["outcome"], told[-1]["status"]) == ("ended", "completed")
    assert told[-1]["tokens"] > 0
    assert told[-1]["seconds"] > 0


def test_a_picture_of_it_can_be_drawn(spans: list[Told], tmp_path: Path) -> None:
    picture = Path(os.environ.get("SCREENSHOTS", tmp_path)) / "trace.png"
    draw(spans, picture)
    assert picture.stat().st_size > 10_000
