"""What is told of an attempt while it is carried out: the fields of its log lines, its lines, its span."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from shared import tracing
from shared.tables import Run

logger = structlog.get_logger()


@dataclass(slots=True)
class Account:
    """What an attempt came to."""

    outcome: str
    status: str | None = None
    """The run's, if this attempt has ended it."""
    usage: Mapping[str, int] | None = None
    """Tokens and requests of the run so far, where a model was asked."""
    records: int | None = None
    """How long the run's log was at its end."""

    def tokens(self, kind: str) -> int | None:
        """`input`, `output` or `total`; None where no model was asked."""
        return self.usage[f"{kind}_tokens"] if self.usage else None


@contextmanager
def observed(run: Run, account: Callable[[], Account]) -> Iterator[None]:
    """Everything in the body, a team's code included, logs with the run's ids and is part of its trace."""
    parent, begun = run.request.get("traceparent"), time.monotonic()
    ids = {"correlation": run.request.get("correlation"), "run": run.id, "attempt": run.attempt}
    with (
        structlog.contextvars.bound_contextvars(**ids, conversation=run.conversation_id),
        tracing.span("attempt", _described(run), parent=parent, kind=tracing.CONSUMER) as span,
    ):
        _tell_of_claim(run, parent)
        try:
            yield
        finally:
            end = account()
            seconds = round(time.monotonic() - begun, 3)
            told = {"outcome": end.outcome, "status": end.status, "tokens": end.tokens("total")}
            logger.info("attempt ended", seconds=seconds, **told)
            span.set_attributes(tracing.told(_come_to(end)))


def seconds_since_admission(run: Run) -> float:
    """By this process's clock, against the database's."""
    return round((datetime.now(UTC) - run.created_at).total_seconds(), 3)


def _tell_of_claim(run: Run, parent: str | None) -> None:
    logger.info("run claimed", kind=run.kind, seconds_since_admission=seconds_since_admission(run))
    if run.attempt == 1 and run.started_at is not None:
        # Later attempts' waits have left no time in the record.
        tracing.past("queue", {"run.id": run.id}, parent=parent, start=run.created_at, end=run.started_at)


def _described(run: Run) -> dict[str, str | int | None]:
    return {
        "run.id": run.id,
        "run.attempt": run.attempt,
        "run.kind": run.kind,
        "conversation.id": run.conversation_id,
        "correlation": run.request.get("correlation"),
    }


def _come_to(end: Account) -> dict[str, str | int | None]:
    return {
        "attempt.outcome": end.outcome,
        "run.status": end.status,
        "gen_ai.usage.input_tokens": end.tokens("input"),
        "gen_ai.usage.output_tokens": end.tokens("output"),
        "log.records": end.records,
    }
