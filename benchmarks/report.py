"""The measurement as a table for a terminal, as JSON, and as docs/benchmarks.md with its plots."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cpu import CORES
from benchmarks.goals import Row
from benchmarks.plot import cost_by_part, latency
from benchmarks.rounds import Results

MARKS = {True: "yes", False: "no", None: "not measured"}


def as_text(table: Sequence[Row], results: Results) -> str:
    """The goals, one a line, and what was void."""
    lines = [
        f"{row.number:3} {row.what:84} {_goal(row):28} {_figure(row):28} {MARKS[row.holds]}"
        for row in table
        if row.values
    ]
    noise = f"noise floor, A beside a second A: {_noise(results)}"
    return "\n".join([*lines, noise, *(f"void: {reason}" for reason in results.void)])


def as_json(table: Sequence[Row], results: Results) -> dict[str, Any]:
    """Everything, for another program."""
    return {
        "machine": _machine(),
        "rows": [{**asdict(row), "figure": row.figure, "holds": row.holds} for row in table],
        "figures": results.figures,
        "void": results.void,
    }


def onto(earlier: dict[str, Any], results: Results) -> Results:
    """An earlier measurement, as `as_json` gave it, with the scenarios of this one in the place of its own."""
    both = Results()
    for scenario, figures in (earlier["figures"] | results.figures).items():
        both.figures[scenario].update(figures)
    again = tuple(f"{scenario}{mark}" for scenario in results.figures for mark in ",:")
    both.void = [reason for reason in earlier["void"] if not reason.startswith(again)] + results.void
    return both


def as_markdown(table: Sequence[Row], results: Results, directory: Path) -> None:
    """Write benchmarks.md and the two plots beside it."""
    latency(results, directory / "benchmarks-latency.png")
    cost_by_part(results, directory / "benchmarks-cost.png")
    head = (directory / "benchmarks-about.md").read_text()
    cells = [
        f"| {row.number} | {row.what} | {_goal(row)} | {_figure(row)} | {row.beside} | {MARKS[row.holds]} |"
        for row in table
    ]
    held, measured = (sum(row.holds in marks for row in table) for marks in ([True], [True, False]))
    lines = [
        head,
        f"Measured on {_machine()}. {held} of {measured} goals are reached.",
        f"Noise floor (A beside a second copy of itself): {_noise(results)}.\n",
        "| # | what | goal | figure: median (least..most; rounds) | ours and theirs | holds |",
        "| --: | --- | --- | --- | --- | --- |",
        *cells,
        "\n![delta latency by streams](benchmarks-latency.png)",
        "\n![processor time of a delta by process](benchmarks-cost.png)",
    ]
    if results.void:
        lines += ["\nVoid, and left out of the figures:\n", *(f"- {reason}" for reason in results.void)]
    (directory / "benchmarks.md").write_text("\n".join(lines) + "\n")


def _goal(row: Row) -> str:
    return f"{row.bound} {row.goal:g} {row.unit}"


def _figure(row: Row) -> str:
    if row.figure is None:
        return "-"
    return f"{row.figure:.3g} ({min(row.values):.3g}..{max(row.values):.3g}; {len(row.values)})"


def _noise(results: Results) -> str:
    kinds = [("one by one", "p50"), ("full speed 100", "cpu"), ("paced 100", "late p99")]
    parts = []
    for scenario, figure in kinds:
        pairs = zip(results.of(scenario, "A again", figure), results.of(scenario, "A", figure), strict=False)
        if ratios := [one / two for one, two in pairs]:
            parts.append(f"{scenario}, {figure} {median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})")
    return "; ".join(parts) or "not measured"


def _machine() -> str:
    return f"{CORES} cores, Python {platform.python_version()}, {platform.system()}"
