"""Everything that is measured, started at once on one Postgres, kept alive for all rounds."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.postgres import Postgres
from local.redis import Redis
from tests.house import SECRET, House, Process, Servers, eventually, free_port

SLOTS = 6000
"""More than any scenario asks for: what is measured is never the limit's own doing."""

ROOMY = {
    "WORKER_SLOTS": str(SLOTS),
    "MAX_QUEUED": "100000",
    "MAX_ACTIVE_RUNS": "100000",
}


@dataclass(frozen=True)
class Contender:
    """One backend: where it answers, and the processes whose time counts as its own."""

    name: str
    port: int
    pids: dict[str, int]
    database_url: str
    house: House | None = None
    redis: Redis | None = None

    @property
    def ours(self) -> bool:
        return self.house is not None


@dataclass(frozen=True)
class Field:
    """The contenders by name, and the Postgres that they share."""

    contenders: dict[str, Contender]
    postgres: Postgres

    def __getitem__(self, name: str) -> Contender:
        return self.contenders[name]


BASELINES: dict[str, dict[str, str]] = {
    "A": {},
    "A again": {},
    "A'": {"CACHED": "1"},
    "A x2": {"PROCESSES": "2"},
}
PLAIN = {"CHATKIT_SERVER": "benchmarks.servers:PlainServer"}


@dataclass(frozen=True)
class Plan:
    """How a house of ours is furnished; `round_trip` is how far its Redis is away, in seconds."""

    env: dict[str, str]
    workers: int = 1
    round_trip: float = 0.0


HOUSES = {
    "ours": Plan(PLAIN),
    "ours, todo": Plan({"CHATKIT_SERVER": "benchmarks.todo:todo"}),
    "ours x4": Plan(PLAIN, workers=4),
    "ours, far": Plan(PLAIN, round_trip=0.025),
    "ours, unstaffed": Plan(PLAIN, workers=0),
    "ours, brief": Plan({**PLAIN, "LOG_TAIL": "1"}),
}


@contextmanager
def lined_up(*names: str) -> Iterator[Field]:
    """These contenders, ready. `ours` is one API and one worker; `A` is one process, `A x2` two."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = Postgres(directory / "postgres")
        postgres.start()
        stack.callback(postgres.stop)
        servers = Servers(postgres, Redis(directory / "unused"))
        made = {}
        for name in names:
            if name in HOUSES:
                made[name] = _house(stack, servers, directory, name)
            else:
                made[name] = _baseline(stack, servers, directory, name)
        yield Field(made, postgres)


def _house(stack: ExitStack, servers: Servers, directory: Path, name: str) -> Contender:
    plan, room = HOUSES[name], directory / name.replace(", ", "-")
    room.mkdir()
    redis = Redis(room / "redis")
    redis.start()
    stack.callback(redis.stop)
    redis_url = _far_away(stack, redis, room, plan.round_trip) if plan.round_trip else redis.url
    house = House(servers.new_database(), redis_url, room, {**ROOMY, **plan.env})
    stack.callback(house.stop)
    house.start_api(wait=False)
    for _ in range(plan.workers):
        house.start_worker(wait=False)
    house.until_ready()
    workers = {f"worker{number or ''}": worker.pid for number, worker in enumerate(house.workers)}
    pids = {"api": house.apis[0].pid, **workers, "redis": redis.pid, "postgres": servers.postgres.pid}
    return Contender(name, int(house.url.rpartition(":")[2]), pids, house.database_url, house, redis)


def _far_away(stack: ExitStack, redis: Redis, room: Path, round_trip: float) -> str:
    port, path = free_port(), redis.url.removeprefix("unix://")
    line = Process(
        ["-m", "benchmarks.slow_line", path, str(port), str(round_trip)], dict(os.environ), room / "line.log"
    )
    line.start()
    stack.callback(line.kill)
    eventually(lambda: _listens(port), line)
    return f"redis://127.0.0.1:{port}"


def _baseline(stack: ExitStack, servers: Servers, directory: Path, name: str) -> Contender:
    port, database_url = free_port(), servers.new_database()
    env = {"PORT": str(port), "DATABASE_URL": database_url, "BETTER_AUTH_SECRET": SECRET, **BASELINES[name]}
    log = directory / f"{name.replace(' ', '-')}.log"
    process = Process(["-m", "benchmarks.baseline"], {**os.environ, **env}, log)
    process.start()
    stack.callback(process.kill)
    eventually(lambda: _listens(port), process)
    pids = {"server": process.pid, "postgres": servers.postgres.pid}
    return Contender(name, port, pids, database_url)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
