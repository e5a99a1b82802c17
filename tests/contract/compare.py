"""`python -m tests.contract.compare` (`make contract`): the table for this backend and for the plain SDK server."""

import sys
import tempfile
from pathlib import Path

from local.postgres import Postgres
from local.redis import Redis
from tests.contract import backends
from tests.contract.houses import houses
from tests.contract.suite import findings, table
from tests.house import Servers


def main() -> int:
    """Print the table; 1 if a walk does not hold here, or one of the protocol's there."""
    with tempfile.TemporaryDirectory() as directory:
        postgres = Postgres(Path(directory, "postgres"), durable=False)
        redis = Redis(Path(directory, "redis"), durable=False)
        postgres.start()
        redis.start()
        try:
            return _compare(Servers(postgres, redis))
        finally:
            redis.stop()
            postgres.stop()


def _compare(servers: Servers) -> int:
    with houses(servers) as made, backends.in_process() as plain:
        here = [backends.backend_of(house, name) for name, house in made.items()]
        ours = [(f"here: {one.server}", list(findings(one))) for one in here]
        theirs = [(f"in-process: {name}", list(findings(one))) for name, one in plain.items()]
    print(table([*ours, *theirs]))
    broken = [finding for _, found in ours for finding in found if finding.reason]
    broken += [finding for _, found in theirs for finding in found if finding.reason and not finding.walk.beyond]
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
