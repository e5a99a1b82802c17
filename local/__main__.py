"""The whole system on one machine, until Ctrl-C or SIGTERM: `python -m local`."""

import argparse
import signal
import sys
from pathlib import Path

from local.death import end_with_parent
from local.plan import plan
from local.run import run
from local.settings import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / ".local", help="where everything is kept")
    parser.add_argument("--end-with-parent", action="store_true", help="stop when the program that ran this dies")
    arguments = parser.parse_args()
    if arguments.end_with_parent:
        end_with_parent(signal.SIGTERM)
    return run(plan, data_dir=arguments.data)


if __name__ == "__main__":
    sys.exit(main())
