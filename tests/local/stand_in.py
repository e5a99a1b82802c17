"""Stands in for our programs in the tests of what runs them: `python stand_in.py ROLE`.

Behaves by STAND_IN, a list of words: `ROLE-ends-early` fails at once, `stubborn` does not hear SIGTERM.
"""

import http.server
import os
import signal
import sys
import time
from types import FrameType

BEHAVIOUR = os.environ.get("STAND_IN", "").split()


class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if "worker-ends-early" in BEHAVIOUR else 200)  # ready is who has seen a worker
        self.end_headers()


def bye(_number: int, _frame: FrameType | None) -> None:
    print("bye")
    sys.exit(0)


def main() -> None:
    role = sys.argv[1]
    print(f"here is {role}, process {os.getpid()}, on {os.environ['DATABASE_URL']} {os.environ['REDIS_URL']}")
    if f"{role}-ends-early" in BEHAVIOUR:
        sys.exit("I cannot")
    if role == "migrations":
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in BEHAVIOUR else bye)
    if role == "api":
        http.server.HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Ready).serve_forever()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
