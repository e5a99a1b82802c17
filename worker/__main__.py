"""`python -m worker` works; `inspect RUN_ID` shows what has become of a run, `export` and `erase` are of one user."""

import sys

# One or the other: what an operator asks need not wait for the agents' libraries.
match sys.argv[1:2]:
    case ["inspect"]:
        from worker.inspection import main
    case ["export" | "erase"]:
        from worker.belongings import main
    case _:
        from worker.main import main

sys.exit(main())
