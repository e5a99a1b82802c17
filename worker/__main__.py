"""`python -m worker` works; `python -m worker inspect RUN_ID` shows what has become of a run."""

import sys

# One or the other: a look at a run need not wait for the agents' libraries.
if sys.argv[1:2] == ["inspect"]:
    from worker.inspection import main
else:
    from worker.main import main

sys.exit(main())
