"""A house for faults: processes from a warm zygote, each with proxies if asked, a model, gates and a ledger."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis

from tests.faults import gates as gates_module
from tests.faults import ledger as ledger_module
from tests.faults.clients import Tab, asking
from tests.faults.gates import Gates
from tests.faults.ledger import Ledger
from tests.faults.monitor import Monitor
from tests.faults.programs import Program, Zygote, answers, ready
from tests.faults.proxy import Network
from tests.faults.waiting import until
from tests.house import ROOT, SECRET, TIRELESS, Servers, bearer, free_port
from tests.model_endpoint import Endpoint

HouseOf = Callable[..., AbstractContextManager["FaultHouse"]]

TEAM = "tests.faults.servers:TeamServer"


@dataclass(frozen=True)
class Zygotes:
    """One for each kind of process."""

    api: Zygote
    worker: Zygote


@dataclass
class FaultHouse:
    """APIs and workers on a database and a Redis number of their own."""

    servers: Servers
    zygotes: Zygotes
    model: Endpoint
    network: Network
    directory: Path
    env: dict[str, str]
    database_url: str
    database_number: int
    apis: list[Program] = field(default_factory=list)
    workers: list[Program] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.gates = Gates(self.directory)
        self.ledger = Ledger(self.database_url)
        path = self.servers.redis.url.removeprefix("unix://")
        self.redis_path = path
        self.redis = redis.Redis(unix_socket_path=path, db=self.database_number)
        self.monitor = Monitor(path)

    # Processes

    def begin_worker(self, *, linked: bool = False, module: str = "worker", **env: str) -> Program:
        """One more worker, not yet waited for."""
        arguments = env.pop("ARGUMENTS", "").split()
        worker = self._start(self.zygotes.worker, module, arguments, "worker", env, linked=linked)
        self.workers.append(worker)
        return worker

    def worker(self, *, linked: bool = False, module: str = "worker", **env: str) -> Program:
        """One more worker; returns when it is ready."""
        return ready(self.begin_worker(linked=linked, module=module, **env))

    def keep_workers(self, count: int) -> None:
        """Start workers until so many live, and wait until they are ready."""
        missing = count - len(self.living_workers())
        for worker in [self.begin_worker() for _ in range(missing)]:
            ready(worker)

    def living_workers(self) -> list[Program]:
        return [worker for worker in self.workers if worker.alive]

    def api(self, *, linked: bool = False, **env: str) -> Program:
        """One more API process; returns when it answers."""
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        env = {"PORT": str(port), "PUBLIC_URL": url, **env}
        api = self._start(self.zygotes.api, "api", [], "api", env, linked=linked)
        api.url = url
        self.apis.append(api)
        until(lambda: answers(url) or not api.alive, lambda: api.text)
        assert api.alive, api.text
        return api

    def stop(self) -> None:
        """End everything that still lives."""
        living = [program for program in (*self.workers, *self.apis) if program.alive]
        for program in living:
            program.thaw()
            program.send(signal.SIGTERM)
        for program in living:
            with suppress(AssertionError):
                program.wait(seconds=15)
            program.kill()

    # Talking

    @property
    def urls(self) -> list[str]:
        """The living APIs' addresses, as a load balancer would know them."""
        return [api.url for api in self.apis if api.alive]

    def ask(self, text: str, *, user: str = "ann", thread_id: str | None = None, **options: Any) -> Tab:
        """A tab that has said this, admitted and reading."""
        urls = options.pop("urls", lambda: self.urls)
        return Tab(urls, user, body=asking(text, thread_id), **options).start().admitted()

    def follow(self, tab: Tab, **options: Any) -> Tab:
        """One more tab on the same run."""
        return Tab(lambda: self.urls, tab.user, run_id=tab.run_id, **options).start()

    def client(self, user: str = "ann", *, api: int = 0) -> httpx.Client:
        return httpx.Client(base_url=self.urls[api], headers=bearer(user), timeout=40)

    def cancel(self, tab: Tab, *, api: int = 0) -> httpx.Response:
        """Stop, from any replica."""
        with self.client(tab.user, api=api) as client:
            return client.post(f"/runs/{tab.run_id}/cancel")

    # Looking

    def sql(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows straight from the database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def run(self, tab: Tab) -> dict[str, Any]:
        """The run's record."""
        names = "status, attempt, crashes, owner, error, generation"
        ((*values,),) = self.sql(f"SELECT {names} FROM runs WHERE id = %s", tab.run_id)
        return dict(zip(names.split(", "), values, strict=True))

    def owner(self, tab: Tab) -> Program:
        """The worker that has the run, once one has it."""
        owner = until(lambda: self._owner(tab), f"a worker for {tab.run_id}")
        pid = int(owner.split(":")[1])
        return next(worker for worker in self.workers if worker.pid == pid)

    def others(self, worker: Program) -> list[Program]:
        return [other for other in self.living_workers() if other is not worker]

    @contextmanager
    def locked(self, table: str) -> Iterator[Callable[[], int]]:
        """Nobody writes to the table meanwhile; gives how many are waiting to."""
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        with psycopg.connect(self.database_url) as connection:
            connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
            yield lambda: int(self.sql(waiting, table)[0][0])
            connection.rollback()

    def drop_waiting(self, table: str) -> None:
        """End the sessions that wait for the table: what a dead worker has sent must not be carried out for it."""
        waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        self.sql(f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS waiting", table)
        until(lambda: not self.sql(waiting, table), "the end of the waiting sessions")

    def _owner(self, tab: Tab) -> str | None:
        rows = self.sql("SELECT owner FROM runs WHERE id = %s AND status = 'running'", tab.run_id)
        return rows[0][0] if rows else None

    def _start(
        self, zygote: Zygote, module: str, arguments: list[str], kind: str, env: dict[str, str], *, linked: bool
    ) -> Program:
        name = f"{kind}{next(self._names)}"
        log = self.directory / f"{name}.log"
        log.touch()
        links = {}
        if linked:
            socket_dir = self.servers.postgres.socket_dir
            links["postgres"] = self.network.proxy(f"{socket_dir}/.s.PGSQL.5432")
            links["redis"] = self.network.proxy(self.redis_path)
        environment = {**self._environment(links), **self.env, **env}
        pid = zygote.spawn(module, arguments, environment, log)
        return Program(name, pid, log, zygote, links=links)

    def _environment(self, links: dict[str, Any]) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.endswith(("_API_KEY", "_URL"))}
        database, queue = self.database_url, f"unix://{self.redis_path}?db={self.database_number}"
        if links:
            database = f"postgresql://postgres@127.0.0.1:{links['postgres'].port}/{self._database_name}"
            queue = f"redis://127.0.0.1:{links['redis'].port}/{self.database_number}"
        return {
            **inherited,
            "DATABASE_URL": database,
            "REDIS_URL": queue,
            "BETTER_AUTH_SECRET": SECRET,
            "DEV_TOKEN": "1",
            "PYTHONPATH": str(ROOT),
            **TIRELESS,
            gates_module.DIRECTORY: str(self.directory),
            ledger_module.URL: self.database_url,
        }

    @property
    def _database_name(self) -> str:
        return self.database_url.partition("?")[0].rpartition("/")[2]


@contextmanager
def fault_house(
    shared: Servers,
    zygotes: Zygotes,
    model: Endpoint,
    directories: pytest.TempPathFactory,
    *,
    workers: int = 1,
    apis: int = 1,
    linked: bool = False,
    servers: Servers | None = None,
    **env: str,
) -> Iterator[FaultHouse]:
    """A running house; by default of a team's own server on the test's model, and on the shared servers."""
    servers = servers or shared
    env = {"CHATKIT_SERVER": TEAM, "TEAM_MODEL_URL": model.url, **env}
    database_url = servers.new_database()
    number = servers._made
    with Network() as network:
        house = FaultHouse(servers, zygotes, model, network, directories.mktemp("house"), env, database_url, number)
        house.redis.flushdb()
        with house.monitor:
            try:
                for _ in range(apis):
                    house.api(linked=linked)
                for worker in [house.begin_worker(linked=linked) for _ in range(workers)]:
                    ready(worker)
                yield house
            finally:
                house.stop()
