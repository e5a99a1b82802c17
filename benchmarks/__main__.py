"""`python -m benchmarks`: starts every contender, measures in turns, prints the table. 1 if a goal is missed."""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import uvloop

from benchmarks.contenders import lined_up
from benchmarks.goals import rows
from benchmarks.plans import full, quick
from benchmarks.report import as_json, as_markdown, as_text, onto
from benchmarks.rounds import measured


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a look within three minutes, the default")
    size.add_argument("--full", action="store_true", help="every row of the table, within half an hour")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="scenarios whose names begin so")
    parser.add_argument("--rounds", type=int, metavar="N", help="at most so many of each scenario")
    parser.add_argument("--minutes", type=float, default=60.0, metavar="M", help="begin nothing more after so many")
    parser.add_argument(
        "--onto", type=Path, metavar="FILE", help="an earlier --json: scenarios of this run replace its own"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there")
    parser.add_argument("--report", type=Path, metavar="DIRECTORY", help="write benchmarks.md and its plots there")
    asked = parser.parse_args()
    scenarios = full() if asked.full else quick()
    if asked.only:
        scenarios = [one for one in scenarios if one.name.startswith(tuple(asked.only))]
    if asked.rounds:
        scenarios = [replace(one, rounds=min(one.rounds, asked.rounds)) for one in scenarios]
    names = dict.fromkeys(name for scenario in scenarios for name in scenario.contenders)
    with lined_up(*names) as contenders:
        results = uvloop.run(measured(scenarios, contenders, seconds=60 * asked.minutes))
    if asked.onto:
        results = onto(json.loads(asked.onto.read_text()), results)
    table = rows(results)
    print(as_text(table, results))
    if asked.json:
        asked.json.write_text(json.dumps(as_json(table, results), indent=1) + "\n")
    if asked.report:
        as_markdown(table, results, asked.report)
    return int(any(row.holds is False for row in table))


if __name__ == "__main__":
    sys.exit(main())
