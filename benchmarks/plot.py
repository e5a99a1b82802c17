"""The two pictures of docs/benchmarks.md."""

from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from benchmarks.rounds import Results

COLOURS = {"ours": "#0b6e4f", "ours, todo": "#6bbf59", "A": "#b23a48", "A'": "#e08e45", "A x2": "#7a5195"}
PARTS = {"api": "#0b6e4f", "worker": "#6bbf59", "redis": "#e08e45", "postgres": "#8d99ae", "server": "#b23a48"}


def latency(results: Results, path: Path) -> None:
    """Delta latency, p99, against the number of paced streams."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    counts = (1, 50, 100, 200)
    for name, colour in COLOURS.items():
        found = [(count, results.of(f"paced {count}", name, "late p99")) for count in counts]
        points = [(count, 1000 * median(values)) for count, values in found if values]
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=name)
    axes.set(xlabel="streams at 50 deltas a second", ylabel="ms, p99", title="From a delta's making to its arrival")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130)


def cost_by_part(results: Results, path: Path) -> None:
    """Processor time of a delta by process, for a hundred streams at full speed and a hundred paced."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    for axes, scenario in zip(figure.subplots(1, 2, sharey=False), ("full speed 100", "paced 100"), strict=True):
        names = [name for name in COLOURS if results.figures[scenario][name]]
        floor = [0.0] * len(names)
        for part, colour in PARTS.items():
            heights = [1e6 * _middle(results, scenario, name, part) for name in names]
            axes.bar(names, heights, bottom=floor, color=colour, label=part)
            floor = [one + two for one, two in zip(floor, heights, strict=True)]
        axes.set_title(scenario)
        axes.tick_params(axis="x", rotation=30)
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].set_ylabel("us of processor time for each delta")
    figure.axes[0].legend()
    figure.savefig(path, dpi=130)


def _middle(results: Results, scenario: str, name: str, part: str) -> float:
    values = results.of(scenario, name, f"cpu {part}")
    return median(values) if values else 0.0
