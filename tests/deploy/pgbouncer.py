"""Debian's PgBouncer in transaction mode, in front of the tests' Postgres."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from local.postgres import Postgres
from local.process import Child
from tests.faults.waiting import until
from tests.house import free_port

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
MISSING = "PgBouncer is not tried: it is not installed here (on Debian and Ubuntu: apt-get install pgbouncer)."

SERVER_CONNECTIONS = 6
"""Fewer than the house's own pools hold, so that statements really change connections."""

CONFIG = """
[databases]
* = host={socket_dir}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
admin_users = pooler
pool_mode = transaction
max_client_conn = 1000
default_pool_size = {size}
"""


def version() -> tuple[int, ...]:
    """As it says itself."""
    assert PGBOUNCER is not None
    said = subprocess.run([PGBOUNCER, "--version"], capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"(\d+)\.(\d+)", said)
    assert numbers is not None, said
    return tuple(map(int, numbers.groups()))


@contextmanager
def pooled(postgres: Postgres, directory: Path, *, size: int = SERVER_CONNECTIONS) -> Iterator[int]:
    """A running pooler: its port."""
    assert PGBOUNCER is not None
    port, config, users = free_port(), directory / "pgbouncer.ini", directory / "users.txt"
    roles = [row[0] for row in _ask(postgres.url, "SELECT rolname FROM pg_roles WHERE rolcanlogin")]
    users.write_text("".join(f'"{name}" ""\n' for name in (*roles, "pooler")))
    config.write_text(CONFIG.format(socket_dir=postgres.socket_dir, port=port, users=users, size=size))
    # It refuses to be root, as Postgres does, and must own the socket's directory all the same.
    hidden = ["unshare", "-U", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
    with (directory / "pgbouncer.log").open("wb") as log:
        child = Child([*hidden, PGBOUNCER, str(config)], output=log)
    try:
        until(lambda: _listens(port) or not child.alive, "the pooler")
        assert child.alive, (directory / "pgbouncer.log").read_text()
        yield port
    finally:
        child.kill()


def through(port: int, database_url: str) -> str:
    """The same database as the same user, through the pooler."""
    place = database_url.partition("?")[0]
    user, _, name = place.removeprefix("postgresql://").partition("@")
    return f"postgresql://{user}@127.0.0.1:{port}/{name.rpartition('/')[2]}"


def clients_and_servers(port: int) -> tuple[int, int]:
    """Connections that the pooler has on either side, its own console left out."""
    with psycopg.connect(f"postgresql://pooler@127.0.0.1:{port}/pgbouncer", autocommit=True) as console:
        clients = psycopg.ClientCursor(console).execute("SHOW CLIENTS").fetchall()
        servers = psycopg.ClientCursor(console).execute("SHOW SERVERS").fetchall()
    return len([row for row in clients if "pgbouncer" not in row]), len(servers)


def _listens(port: int) -> bool:
    try:
        _ask(f"postgresql://pooler@127.0.0.1:{port}/pgbouncer", "SHOW VERSION")
    except psycopg.OperationalError:
        return False
    return True


def _ask(url: str, query: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return psycopg.ClientCursor(connection).execute(query).fetchall()
