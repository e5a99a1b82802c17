"""A whole system for a test: real API and worker processes on a database and a Redis of their own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import jwt
import psycopg

from local.postgres import APPLICATION, OWNER, Postgres
from local.process import Child
from local.redis import Redis

ROOT = Path(__file__).parent.parent
SECRET = "a secret for tests, thirty-two characters and more"
PATIENCE = 60.0
TIRELESS = dict.fromkeys(
    ("MAX_SUBMITS_PER_MINUTE", "MAX_REQUESTS_PER_MINUTE", "MAX_OPEN_STREAMS", "MAX_RUNNING_RUNS"), "1000000"
)
"""A test asks more in a minute than any person; what is refused to one, or waits, is tested where it is set."""


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def token(user: str = "ann", **claims: object) -> str:
    """A bearer token of this user's, good for an hour."""
    return jwt.encode({"sub": user, "exp": int(time.time()) + 3600, **claims}, SECRET, algorithm="HS256")


@dataclass
class Servers:
    """One Postgres and one Redis for the whole test session; databases in them are cheap."""

    postgres: Postgres
    redis: Redis
    _made: int = 0

    def new_database(self) -> str:
        """The URL of an empty, migrated database, as its owner."""
        self._made += 1
        name = f"test_{os.getpid()}_{self._made}"
        base, _, query = self.postgres.url.partition("?")
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            if self._made == 1:
                connection.execute("CREATE DATABASE template_migrated")
                migrate(f"{base.rpartition('/')[0]}/template_migrated?{query}")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template_migrated")
        return f"{base.rpartition('/')[0]}/{name}?{query}"


def migrate(database_url: str, target: str = "head") -> None:
    """Bring the owner's database to this migration."""
    command = [sys.executable, "-m", "alembic", "upgrade", target]
    urls = {"MIGRATIONS_DATABASE_URL": database_url, "DATABASE_URL": as_application(database_url)}
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **urls})


def as_application(database_url: str) -> str:
    """The same database in the role that our processes have: under row-level security."""
    return database_url.replace(f"//{OWNER}@", f"//{APPLICATION}@", 1)


def as_owner(database_url: str) -> str:
    """The same database in the role that no policy holds."""
    return database_url.replace(f"//{APPLICATION}@", f"//{OWNER}@", 1)


@dataclass
class Process:
    """One of our programs, its log kept."""

    arguments: list[str]
    env: dict[str, str]
    log: Path
    child: Child | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.child = Child([sys.executable, *self.arguments], output=output, env=self.env)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        assert self.child is not None
        self.child.stop(grace_seconds=PATIENCE)
        return self.child.wait()

    def kill(self) -> None:
        """SIGKILL."""
        assert self.child is not None
        self.child.kill()

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    @property
    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text()


@dataclass
class House:
    """APIs and workers that share a database and a Redis."""

    database_url: str
    redis_url: str
    directory: Path
    env: dict[str, str] = field(default_factory=dict)
    apis: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The first API's address."""
        return self.urls[0]

    def start_api(self, *, wait: bool = True, **env: str) -> Process:
        """One more API process; returns when it answers."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = self._process(["-m", "api"], f"api{len(self.apis)}", {"PORT": str(port), "PUBLIC_URL": url, **env})
        process.start()
        self.apis.append(process)
        self.urls.append(url)
        if wait:
            eventually(lambda: _answers(f"{url}/livez"), process)
        return process

    def start_worker(self, *, wait: bool = True, **env: str) -> Process:
        """One more worker; returns when it is ready."""
        process = self._process(["-m", "worker"], f"worker{len(self.workers)}", env)
        process.start()
        self.workers.append(process)
        if wait:
            eventually(lambda: "worker ready" in process.text, process)
        return process

    def until_ready(self) -> None:
        """Wait for every process that was started."""
        for url, process in zip(self.urls, self.apis, strict=True):
            eventually(lambda url=url: _answers(f"{url}/livez"), process)
        for process in self.workers:
            eventually(lambda process=process: "worker ready" in process.text, process)

    def stop(self) -> None:
        """End everything that still lives."""
        for process in (*self.workers, *self.apis):
            if process.child is not None and process.child.alive:
                process.child.ask_to_stop()
        for process in (*self.workers, *self.apis):
            if process.child is not None and process.child.alive:
                process.stop()

    def client(self, user: str = "ann", api: int = 0) -> httpx.Client:
        """An HTTP client of this user's."""
        return httpx.Client(base_url=self.urls[api], headers=bearer(user), timeout=PATIENCE)

    def sql(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Rows straight from the database, whosever they are."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def _process(self, arguments: list[str], name: str, env: dict[str, str]) -> Process:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.endswith(("_API_KEY", "_URL"))},
            "DATABASE_URL": as_application(self.database_url),
            "REDIS_URL": self.redis_url,
            "BETTER_AUTH_SECRET": SECRET,
            "DEV_TOKEN": "1",
            "ATTACHMENTS_DIR": str(self.directory / "attachments"),
            "PYTHONPATH": str(ROOT),
            **TIRELESS,
            **self.env,
            **env,
        }
        return Process(arguments, environment, self.directory / f"{name}.log")


def bearer(user: str) -> dict[str, str]:
    """The header that says who asks."""
    return {"Authorization": f"Bearer {token(user)}"}


def eventually(condition: object, process: Process | None = None) -> None:
    """Wait until something holds; the patience is an end, not a measure."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process is not None:
            assert process.child is not None
            assert process.child.alive, process.text
        assert time.monotonic() < deadline, "it never came" + (f": {process.text}" if process else "")
        time.sleep(0.01)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def house_of(servers: Servers, *, workers: int = 1, apis: int = 1, **env: str) -> Iterator[House]:
    """A running house: `workers` and `apis` processes on a new database and a Redis number of their own."""
    with tempfile.TemporaryDirectory() as directory:
        house = House(servers.new_database(), f"{servers.redis.url}?db={servers._made}", Path(directory), env)
        try:
            for _ in range(apis):
                house.start_api(wait=False)
            for _ in range(workers):
                house.start_worker(wait=False)
            house.until_ready()
            yield house
        finally:
            house.stop()
