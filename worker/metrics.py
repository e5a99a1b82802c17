"""What a worker measures: each of its metrics, and the verb that the parts tell it by."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from typing import Protocol

from shared.loop_lag import LoopLag
from shared.metrics import LONG, Bounded, Meter
from shared.records import is_text
from shared.runs import RunKind, RunStatus

TOOLS = 100
"""Tools that are told apart by name: a model cannot invent names, but an MCP server may offer many."""
MODEL_ERRORS = ("ModelError", "ModelTimeout", "ModelIncomplete", "ModelBusy", "ModelUnavailable", "ModelRefused")
"""The classes of worker/checked_model.py."""


class Outcome(StrEnum):
    """How an attempt ended: with its run, or without."""

    ENDED = "ended"
    SUPERSEDED = "superseded"
    LEASE_LOST = "lease_lost"
    HANDED_OVER = "handed_over"
    ABANDONED = "abandoned"
    FAILED = "failed"


class ToolOutcome(StrEnum):
    """What came of a tool call; the last two without running it, in a later attempt."""

    FINISHED = "finished"
    RAISED = "raised"
    TIMED_OUT = "timed_out"
    REPLAYED = "replayed"
    UNKNOWN = "unknown"


class Usage(Protocol):
    """What a provider says a response has cost."""

    input_tokens: int
    output_tokens: int


class WorkerMeter(Meter):
    """One worker's measures."""

    def __init__(self) -> None:
        super().__init__()
        self._claims = self._counter("claims", "Runs that this worker has claimed.", kind=RunKind)
        self._recoveries = self._counter("recoveries", "Claims of a later attempt: a run is taken up again.")
        self._claim_wait = self._histogram("claim_wait_seconds", "From a run's admission to its first claim.")
        self._first_event = self._histogram(
            "first_event_seconds", "From a run's admission to its answer's first event."
        )
        self._first_text = self._histogram("first_text_seconds", "From a run's admission to its answer's first text.")
        self._ended = self._counter(
            "runs_ended",
            "Runs that have got their terminal status, and by whom.",
            kind=RunKind,
            status=[status for status in RunStatus if status.ended],
            by=("worker", "sweeper"),
        )
        self._run = self._histogram("run_seconds", "From a run's admission to its end.", "kind", buckets=LONG)
        self._attempts = self._counter("attempts_ended", "Attempts that have ended, by how.", outcome=Outcome)
        self._fenced = self._counter(
            "fenced_writes", "Attempts that were refused a write: the run is no longer theirs.", at=("postgres", "log")
        )
        self._begun_anew = self._counter("log_generations", "Logs that Redis had lost and that were begun anew.")
        self._crashes = self._counter("crashes", "Leases that lapsed: their worker died or stood still.")
        self._rung_again = self._counter("rings_again", "Rings for runs that were rung for before and not claimed.")
        self._model = self._histogram("model_call_seconds", "Whole responses of a model.", buckets=LONG)
        self._model_errors = self._counter("model_errors", "Model calls that failed, by class.", error=MODEL_ERRORS)
        self._tokens = self._counter("tokens", "Tokens that models have counted.", kind=("input", "output"))
        self._tools = self._counter("tool_calls", "Tool calls, by what came of them.", tool=(), outcome=ToolOutcome)
        self._tool = self._histogram("tool_seconds", "Tool calls that were run.", "tool", buckets=LONG)
        self._tool_name = Bounded(TOOLS)

    def read_slots(self, size: int, used: Callable[[], int]) -> None:
        """Show at each scrape how many runs this worker carries out, of so many."""
        self._gauges("slots", "Runs that this worker may carry out at once.", lambda: {(): size})
        self._gauges("slots_used", "Runs that this worker is carrying out.", lambda: {(): used()})

    def read_lag(self, lag: LoopLag) -> None:
        """Show at each scrape how late this worker's loop is."""
        self._gauges(
            "loop_lag_seconds", "How late the event loop is: a mean of the last second.", lambda: {(): lag.seconds}
        )

    def claimed(self, kind: str, attempt: int, age: float) -> None:
        """A run was claimed, so many seconds after its admission."""
        self._claims.labels(kind).inc()
        if attempt > 1:
            self._recoveries.inc()
        else:
            self._claim_wait.observe(age)

    def first_words(self, age: Callable[[], float]) -> Callable[[Sequence[bytes]], bool]:
        """To be called with each batch that has reached the log, until it says that it has heard what it waits for."""
        begun = False

        def heard(records: Sequence[bytes]) -> bool:
            nonlocal begun
            if not begun:
                begun = True
                self._first_event.observe(age())
            speaks = any(map(is_text, records))
            if speaks:
                self._first_text.observe(age())
            return speaks

        return heard

    def attempt_ended(self, outcome: Outcome, *, fenced: bool) -> None:
        """An attempt is over, whatever became of its run; `fenced` if Postgres has refused it a write."""
        self._attempts.labels(outcome).inc()
        if fenced:
            self._fenced.labels("postgres").inc()

    def run_ended(self, kind: str, status: str, age: float, *, by: str = "worker") -> None:
        """A run has its terminal status, so many seconds after its admission."""
        self._ended.labels(kind, status, by).inc()
        self._run.labels(kind).observe(age)

    def fenced_at_log(self) -> None:
        """The log has refused what an attempt wrote."""
        self._fenced.labels("log").inc()

    def begun_anew(self) -> None:
        """A log that was lost has its next generation."""
        self._begun_anew.inc()

    def crashed(self, runs: int) -> None:
        """The sweeper has found so many leases lapsed."""
        self._crashes.inc(runs)

    def rung_again(self, runs: int) -> None:
        """The sweeper has rung for runs that nobody had claimed."""
        self._rung_again.inc(runs)

    @asynccontextmanager
    async def model_call(self) -> AsyncIterator[Callable[[Usage | None], None]]:
        """Around a model call; to be told when the response is whole, and what it has cost."""
        began = time.monotonic()

        def answered(usage: Usage | None) -> None:
            self._model.observe(time.monotonic() - began)
            if usage is not None:
                self._tokens.labels("input").inc(usage.input_tokens)
                self._tokens.labels("output").inc(usage.output_tokens)

        try:
            yield answered
        except Exception as error:
            if (name := type(error).__name__) in MODEL_ERRORS:
                self._model_errors.labels(name).inc()
            raise

    @contextmanager
    def tool_call(self, name: str) -> Iterator[None]:
        """Around a tool that is run; one that is stopped has no outcome."""
        began, tool = time.monotonic(), self._tool_name(name)
        try:
            yield
        except Exception:
            self._tools.labels(tool, ToolOutcome.RAISED).inc()
            raise
        self._tools.labels(tool, ToolOutcome.FINISHED).inc()
        self._tool.labels(tool).observe(time.monotonic() - began)

    def tool_ended(self, name: str, outcome: ToolOutcome) -> None:
        """The tool was given up, or a later attempt has not run it again."""
        self._tools.labels(self._tool_name(name), outcome).inc()
