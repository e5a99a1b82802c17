"""An attempt's lines: its ids in each, one at its claim, one at its end, whatever it came to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from structlog.testing import capture_logs

from shared.tables import Run
from worker.observed import Account, observed

IDS = {"run": "run_1", "attempt": 2, "conversation": "thr_1", "correlation": "order-4711"}


def run_of(**request: Any) -> Run:
    created_at = datetime.now(UTC) - timedelta(seconds=3)
    named = {"id": "run_1", "conversation_id": "thr_1", "user_id": "ann", "kind": "respond", "attempt": 2}
    return Run(**named, request=request, created_at=created_at)


def told(run: Run, account: Account) -> list[Any]:
    """The lines of an attempt in which something is logged."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines, observed(run, lambda: account):
        structlog.get_logger().info("in between")
    return lines


def test_every_line_of_an_attempt_has_its_ids_and_none_after_it() -> None:
    lines = told(run_of(correlation="order-4711"), Account("ended", "completed"))
    assert [line["event"] for line in lines] == ["run claimed", "in between", "attempt ended"]
    assert all(IDS.items() <= line.items() for line in lines)
    assert not structlog.contextvars.get_contextvars().keys() & IDS.keys()


def test_the_lines_say_how_long_it_waited_and_what_it_came_to_and_not_whose_it_is() -> None:
    usage = {"requests": 1, "input_tokens": 11, "output_tokens": 5, "total_tokens": 16}
    claimed, _, ended = told(run_of(), Account("ended", "failed", usage))
    assert 3 <= claimed["seconds_since_admission"] < 30
    assert (ended["outcome"], ended["status"], ended["tokens"]) == ("ended", "failed", 16)
    assert "ann" not in str((claimed, ended))


def test_a_run_of_before_there_were_ids_is_observed_too() -> None:
    assert told(run_of(), Account("superseded"))[0]["correlation"] is None
