"""All the work in turns: each scenario goes round its contenders in a shuffled order; a noisy moment may hit anyone."""

import random
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.contenders import Field
from benchmarks.scenarios import Figures, Void, Work


@dataclass(frozen=True)
class Scenario:
    """A piece of work, and who does it how often."""

    name: str
    work: Work
    contenders: Sequence[str]
    rounds: int


@dataclass
class Results:
    """What was measured: by scenario and contender, a list of figures for each round; and what was void."""

    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    void: list[str] = field(default_factory=list)

    def of(self, scenario: str, contender: str, figure: str) -> list[float]:
        """The figure in each round; empty where there is none."""
        return [one[figure] for one in self.figures[scenario][contender] if figure in one]


async def measured(scenarios: Sequence[Scenario], line_up: Field, *, seconds: float) -> Results:
    """Every scenario's rounds. A void figure is told of and left out, and so is what has not begun after `seconds`."""
    results, over = Results(), time.monotonic() + seconds
    for scenario in scenarios:
        if time.monotonic() > over:
            results.void.append(f"{scenario.name}: not begun, the time was over")
            continue
        for number in range(scenario.rounds):
            for name in random.sample(scenario.contenders, len(scenario.contenders)):
                print(
                    f"{scenario.name:24} {number + 1}/{scenario.rounds}  {name:12}",
                    end="  ",
                    file=sys.stderr,
                    flush=True,
                )
                try:
                    figures = await scenario.work(line_up[name])
                except (Void, TimeoutError, OSError) as reason:
                    results.void.append(f"{scenario.name}, {name}: {reason or type(reason).__name__}")
                    print(f"void: {reason!r}", file=sys.stderr, flush=True)
                    continue
                results.figures[scenario.name][name].append(figures)
                print(_short(figures), file=sys.stderr, flush=True)
    return results


def _short(figures: Figures) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items() if not name.startswith("cpu "))
