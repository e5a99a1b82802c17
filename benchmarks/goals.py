"""The goals, each a ratio of what was measured in the same rounds, and whether it is reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from statistics import median
from typing import Literal

from benchmarks.rounds import Results

Bound = Literal["at most", "at least"]


@dataclass(frozen=True)
class Row:
    """One figure beside its goal. `values` are those of each round; none where nothing was measured."""

    number: int
    what: str
    bound: Bound
    goal: float
    unit: str
    values: Sequence[float]
    beside: str = ""
    """The absolute figures, never to be quoted alone."""

    @property
    def figure(self) -> float | None:
        return median(self.values) if self.values else None

    @property
    def holds(self) -> bool | None:
        """By the median of all rounds."""
        if self.figure is None:
            return None
        return self.figure <= self.goal if self.bound == "at most" else self.figure >= self.goal


OURS = {"ours": "an unmodified server", "ours, todo": "the default responder"}


def rows(results: Results) -> list[Row]:
    """The table of all goals."""
    return [row for ours in OURS for row in _against_baselines(results, ours)] + _alone(results)


def _against_baselines(results: Results, ours: str) -> list[Row]:
    def ratio(
        number: int, what: str, bound: Bound, goal: float, scenario: str, figure: str, other: str, scale: float = 1e3
    ) -> Row:
        mine, theirs = results.of(scenario, ours, figure), results.of(scenario, other, figure)
        beside = f"{_middle(mine, scale)} and {_middle(theirs, scale)}" if mine and theirs else ""
        values = [one / two for one, two in zip(mine, theirs, strict=False)]
        return Row(number, f"{what}, {OURS[ours]}", bound, goal, f"× {other}", values, beside)

    def added(number: int, what: str, goal: float, scenario: str, figure: str, other: str) -> Row:
        mine, theirs = results.of(scenario, ours, figure), results.of(scenario, other, figure)
        values = [1000 * (one - two) for one, two in zip(mine, theirs, strict=False)]
        return Row(number, f"{what}, {OURS[ours]}", "at most", goal, f"ms more than {other}", values)

    first, late, cpu = "time to first delta", "delta latency", "processor time of a delta"
    return [
        ratio(2, f"{first} p50, one stream (ms)", "at most", 0.5, "one by one", "p50", "A"),
        ratio(2, f"{first} p50, one stream (ms)", "at most", 1.0, "one by one", "p50", "A'"),
        ratio(2, f"{first} p99, one stream (ms)", "at most", 1.0, "one by one", "p99", "A"),
        ratio(3, f"{first} p99, 100 paced streams (ms)", "at most", 0.5, "paced 100", "first p99", "A"),
        ratio(4, "deltas a second, 500 streams", "at least", 4.0, "full speed 500", "deltas per second", "A", 1),
        ratio(4, "deltas a second, 500 streams", "at least", 2.0, "full speed 500", "deltas per second", "A x2", 1),
        ratio(5, f"{cpu}, 100 streams at full speed (us)", "at most", 0.4, "full speed 100", "cpu", "A", 1e6),
        ratio(5, f"{cpu}, 100 paced streams (us)", "at most", 0.7, "paced 100", "cpu", "A", 1e6),
        ratio(5, f"{cpu}, 100 paced streams (us)", "at most", 1.0, "paced 100", "cpu", "A'", 1e6),
        ratio(6, f"{late} p99, 200 paced streams (ms)", "at most", 0.25, "paced 200", "late p99", "A x2"),
        added(7, f"{late} p50, one stream", 0.2, "paced 1", "late p50", "A"),
        ratio(8, "streams held at 50 deltas a second", "at least", 2.0, "held", "streams", "A", 1),
        ratio(14, "runs of 20 deltas a second", "at least", 2.5, "short runs", "runs per second", "A", 1),
        _flatness(results, ours),
    ]


def _flatness(results: Results, ours: str) -> Row:
    few, many = results.of("full speed 10", ours, "cpu"), results.of("full speed 400", ours, "cpu")
    values = [two / one for one, two in zip(few, many, strict=False)]
    return Row(15, f"cost of a delta at 400 streams, {OURS[ours]}", "at most", 1.15, "× at 10 streams", values)


def _alone(results: Results) -> list[Row]:
    def within(
        number: int,
        what: str,
        bound: Bound,
        goal: float,
        unit: str,
        scenario: str,
        figure: str,
        of: str = "",
        *,
        contender: str = "ours",
        scale: float = 1.0,
        said: tuple[float, str] = (1e3, "ms"),
    ) -> Row:
        values = results.of(scenario, contender, figure)
        floor = results.of(scenario, contender, of) if of else [1.0 / scale] * len(values)
        beside = (
            f"{_middle(values, said[0])} and {_middle(floor, said[0])} {said[1]}" if of and values and floor else ""
        )
        return Row(number, what, bound, goal, unit, list(starmap(_over, zip(values, floor, strict=True))), beside)

    return [
        within(1, "ring to claim p50, idle", "at most", 3.0, "× a bare BLPOP", "pickup 0", "claimed p50", "blpop"),
        Row(1, "ring to claim p50, 500 runs in flight", "at most", 1.5, "× idle", _pickup_growth(results)),
        within(1, "an idle worker", "at most", 0.5, "% of a core", "idle", "worker", scale=100),
        within(9, "a run's length at 25 ms to Redis", "at most", 1.02, "× ideal", "slow line", "length", "ideal",
               contender="ours, far"),
        within(10, "2,000 deltas again, from Redis", "at most", 1.25, "× one GET", "replay", "from redis", "one get"),
        within(10, "2,000 deltas again, from Postgres", "at most", 20.0, "ms", "replay", "from postgres", scale=1e3),
        within(11, "of 1,000 reconnects in 0.2 s, wrong", "at most", 0.0, "readers", "storm", "wrong"),
        Row(12, "an idle stream in the API", "at most", 0.12, "× A", _idle(results, ["api"])),
        Row(12, "an idle stream in the whole system", "at most", 1.0, "× A", _idle(results, None)),
        within(13, "Redis for a delta, in flight", "at most", 0.1, "× its frame", "redis", "kept", "frames",
               contender="ours, brief", said=(1, "bytes")),
        within(13, "Redis for a delta, finished", "at most", 0.03, "× its frame", "redis", "finished", "frames",
               contender="ours, brief", said=(1, "bytes")),
        within(13, "Redis after the tail", "at most", 0.0, "bytes", "redis", "after the tail",
               contender="ours, brief"),
        within(14, "admissions a second, one API", "at least", 300.0, "a second", "admissions", "per second",
               contender="ours, unstaffed"),
        Row(15, "first delta after 10,000 messages", "at most", 1.2, "× an empty conversation", _history(results)),
        Row(16, "deltas for a processor second, four workers", "at least", 0.9, "× one worker", _linear(results)),
    ]  # fmt: skip


def _pickup_growth(results: Results) -> list[float]:
    idle, busy = results.of("pickup 0", "ours", "claimed p50"), results.of("pickup 500", "ours", "claimed p50")
    return [two / one for one, two in zip(idle, busy, strict=False)]


def _idle(results: Results, parts: list[str] | None) -> list[float]:
    """Our bytes for an idle stream, of these parts or all, over A's."""
    ours, theirs = results.figures["idle streams"]["ours"], results.figures["idle streams"]["A"]
    return [
        sum(one[part] for part in parts or one) / sum(other.values()) for one, other in zip(ours, theirs, strict=False)
    ]


def _history(results: Results) -> list[float]:
    empty, long = (results.of(f"history {length}", "ours", "first p50") for length in (0, 10_000))
    return [two / one for one, two in zip(empty, long, strict=False)]


def _linear(results: Results) -> list[float]:
    one, four = (results.of("full speed 100", name, "cpu") for name in ("ours", "ours x4"))
    return [single / many for single, many in zip(one, four, strict=False)]


def _over(value: float, floor: float) -> float:
    return value / floor if floor else value


def _middle(values: Sequence[float], scale: float) -> str:
    return f"{median(values) * scale:.3g}"
