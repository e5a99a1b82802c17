"""A trace as a picture: each span a bar below the one that it is part of, by the clock, in milliseconds."""

import re
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from tests.collector import Told

COLOURS = {"chatkit-api": "#2f6f9f", "chatkit-worker": "#b5651d"}
LIGHTER = 0.45
"""How dark a library's bars are beside our own: a database, Redis, the model's HTTP."""
NAMES = 0.42
"""The width of the names' column, as a share of the trace's."""

_WRITES = re.compile(r"\b(INSERT INTO|DELETE FROM|UPDATE) (\w+)")
_READS = re.compile(r"\b(FROM|SELECT) (?!SELECT|FROM)(pg_\w+|(?<=FROM )\w+)")


def draw(spans: list[Told], picture: Path) -> None:
    """Draw the spans of one trace."""
    rows, begun = in_order(spans), min(span.start for span in spans)
    width = (max(span.end for span in spans) - begun) / 1e6
    figure = Figure(figsize=(12, 1.1 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for row, (depth, span) in enumerate(rows):
        _draw_row(axes, row, depth, span, start=(span.start - begun) / 1e6, width=width)
    axes.set_xlim(-width * (NAMES + 0.01), width * 1.09)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= width])
    axes.set_xlabel("milliseconds since the request came")
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    handles = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    figure.savefig(picture, dpi=110)


def _draw_row(axes: Axes, row: int, depth: int, span: Told, *, start: float, width: float) -> None:
    own = span.name in OWN or depth == 0
    length = max(span.milliseconds, width / 400)
    axes.barh(row, length, left=start, height=0.66, color=COLOURS[span.process], alpha=1.0 if own else LIGHTER)
    names_at, indent = -width * NAMES, depth * width * 0.018
    axes.text(names_at + indent, row, labelled(span), va="center", fontsize=8.5, color="#000" if own else "#666")
    end = start + length + width * 0.006
    axes.text(end, row, f"{span.milliseconds:,.1f} ms", va="center", fontsize=7.5, color="#333")


OWN = ("admission", "relay", "queue", "attempt", "recovery", "model call", "tool call", "final flush")


def in_order(spans: list[Told]) -> list[tuple[int, Told]]:
    """Each span with its depth, below the one that it is part of and after those that began before it."""
    known = {span.id for span in spans}

    def below(parent: str | None, depth: int) -> list[tuple[int, Told]]:
        own = [span for span in spans if (span.parent if span.parent in known else None) == parent]
        own.sort(key=lambda span: (span.start, -span.end))
        return [row for span in own for row in ((depth, span), *below(span.id, depth + 1))]

    return below(None, 0)


def labelled(span: Told) -> str:
    """Its name, and what tells it from others of that name."""
    told = span.attributes
    for name in ("gen_ai.tool.name", "gen_ai.request.model", "run.status", "stream.end"):
        if name in told:
            return f"{span.name} · {told[name]}"
    if "db.statement" not in told:
        return f"HTTP {span.name}" if "http.method" in told else span.name
    return f"Redis {span.name}" if told["db.system"] == "redis" else f"Postgres {statement(str(told['db.statement']))}"


def statement(sql: str) -> str:
    """What a statement does, and to which table."""
    found = _WRITES.search(sql) or _READS.search(sql)
    return " ".join(found.groups()).replace("FROM", "SELECT", 1).replace("DELETE SELECT", "DELETE") if found else sql
