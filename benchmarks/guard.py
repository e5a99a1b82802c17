"""`python -m benchmarks.guard`: fails when a delta has become dearer, beside the in-process baseline of the same run.

Not a timed test: what is compared is processor time, as the scheduler counts it, of both sides in turns, so that a
busy or a slower machine changes both. `KNOWN` is that ratio when it was last looked at on purpose (docs/benchmarks.md).
"""

import sys
from statistics import median

import uvloop

from benchmarks.contenders import lined_up
from benchmarks.rounds import Results, Scenario, measured
from benchmarks.scenarios import at_full_speed

KNOWN = 1.1
MARGIN = 4 / 3
ROUNDS = 5
SCENARIO = "full speed 50"


def ratio(results: Results) -> float:
    """Our processor time for a delta over the baseline's."""
    ours, theirs = (results.of(SCENARIO, name, "cpu") for name in ("ours", "A"))
    return median(ours) / median(theirs)


def main() -> int:
    """0 while a delta costs at most a third more than is known."""
    scenario = Scenario(SCENARIO, at_full_speed(50, 100), ("ours", "A"), ROUNDS)
    with lined_up("ours", "A") as contenders:
        results = uvloop.run(measured([scenario], contenders, seconds=600))
    found, limit = ratio(results), KNOWN * MARGIN
    verdict = "dearer than it was" if found > limit else "as it was, or cheaper"
    print(f"a delta's processor time: {found:.2f} x the baseline's; known {KNOWN:.2f}, limit {limit:.2f}: {verdict}")
    return int(found > limit or bool(results.void))


if __name__ == "__main__":
    sys.exit(main())
