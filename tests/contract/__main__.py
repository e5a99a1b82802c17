"""`python -m tests.contract --url … --token …`: the conformance suite against any ChatKit backend.

The walks that need a server of the suite's own (tests/contract/servers: `shop`, `desk`) are taken with
`--server shop` or `--server desk`, once the backend runs that server.
"""

import argparse
import sys

from tests.contract.client import Client
from tests.contract.suite import findings, table
from tests.contract.walk import Backend


def main() -> int:
    """Print the table; 1 if a walk of the protocol itself does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description="ChatKit conformance")
    parser.add_argument("--url", required=True, help="the backend's base URL")
    parser.add_argument("--path", default="/chatkit", help="the path of its ChatKit route")
    parser.add_argument("--token", required=True, help="a bearer token")
    parser.add_argument("--other-token", help="another user's, for what must not be seen")
    parser.add_argument("--server", choices=("shop", "desk"), help="the server of tests/contract/servers that it runs")
    told = parser.parse_args()
    other = Client(told.url, told.other_token, path=told.path) if told.other_token else None
    backend = Backend(Client(told.url, told.token, path=told.path), other, told.server)
    found = list(findings(backend))
    print(table([(told.url, found)]))
    return int(any(finding.reason for finding in found if not finding.walk.beyond))


if __name__ == "__main__":
    sys.exit(main())
