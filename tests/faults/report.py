"""The report of a run of the suite: docs/faults.md for people, docs/faults.json for machines."""

import json
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.faults.table import ROWS, SHOWS

HEAD = """\
# Faults, and what was seen

Made by `make faults`: real processes, sockets, Postgres and Redis; kills, stops, restarts, and a TCP proxy per link.
Recovery is the time until a reader saw the run's stream move again, or the state named in the row, in seconds.

"""


@dataclass
class Sighting:
    """What one test saw. `seen("…")` is a remark for the report, `took(seconds)` a time to recover."""

    row: int
    test: str
    outcome: str = "not run"
    remarks: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    duration: float = 0.0

    def seen(self, remark: str) -> None:
        self.remarks.append(re.sub(r"\b(run|msg|thr|cthr)_\w+", r"\1_…", remark))

    def took(self, seconds: float) -> float:
        self.seconds.append(round(seconds, 3))
        return seconds


def percentile(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def write(sightings: Iterable[Sighting], directory: Path) -> None:
    """Both files."""
    by_row: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        by_row[sighting.row].append(sighting)
    directory.mkdir(parents=True, exist_ok=True)
    report = [asdict(sighting) for row in sorted(by_row) for sighting in by_row[row]]
    (directory / "faults.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    (directory / "faults.md").write_text(markdown(by_row))


def markdown(by_row: dict[int, list[Sighting]]) -> str:
    """The table of faults with what was seen, then what is shown beside it."""
    head = "| # | fault | what must be seen | result | seen | recovery median / p95 (n) |\n|--:|---|---|---|---|---|\n"
    table = [_line(number, by_row.get(number, [])) for number in ROWS if number not in SHOWS]
    shows = [_line(number, by_row.get(number, [])) for number in SHOWS]
    return f"{HEAD}{head}{''.join(table)}\n## Beside the table\n\n{head}{''.join(shows)}"


def _line(number: int, sightings: list[Sighting]) -> str:
    row = ROWS[number]
    seconds = [one for sighting in sightings for one in sighting.seconds]
    told = dict.fromkeys(remark for sighting in sightings for remark in sighting.remarks)
    remarks = "; ".join(told).replace("|", "\\|")
    outcomes = {sighting.outcome for sighting in sightings} or {"not run"}
    result = "passed" if outcomes == {"passed"} else ", ".join(sorted(outcomes))
    return f"| {number} | {row.fault} | {row.expected} | {result} | {remarks} | {_times(seconds)} |\n"


def _times(seconds: list[float]) -> str:
    if not seconds:
        return ""
    return f"{statistics.median(seconds):.2f} / {percentile(seconds, 0.95):.2f} ({len(seconds)})"
