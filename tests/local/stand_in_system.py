"""The whole system with stand-ins for our programs: `python -m tests.local.stand_in_system DATA_DIRECTORY`."""

import sys
from pathlib import Path

from local.plan import Plan
from local.program import Program
from local.run import run
from local.settings import LocalSettings

STAND_IN = str(Path(__file__).with_name("stand_in.py"))


def plan(settings: LocalSettings) -> Plan:
    workers = [Program(f"worker-{n}", (STAND_IN, "worker")) for n in range(1, settings.workers + 1)]
    return Plan(Program("migrate", (STAND_IN, "migrations")), [Program("api", (STAND_IN, "api")), *workers])


if __name__ == "__main__":
    sys.exit(run(plan, data_dir=Path(sys.argv[1])))
