"""The whole system: its parts start in order, are kept running, and stop in the opposite order."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from local.console import Console
from local.errors import CannotRun
from local.keeper import Keepable, Keeper
from local.plan import Plan, environment
from local.ports import choose_port
from local.postgres import Postgres
from local.process import how_it_ended
from local.program import Program, RunningProgram
from local.reach import reach_postgres, reach_redis
from local.readiness import is_ready
from local.redis import Redis
from local.secret import keep_secret
from local.server import Server
from local.settings import LocalSettings

_READY_SECONDS = 120.0
_STOP_SECONDS = 15.0
"""For a program that has ended its answers, and for a server."""
_LOOK_SECONDS = 0.1


class System:
    """Servers that were not given by URL, the migrations, and our programs, with everything kept in `data_dir`."""

    def __init__(self, plan: Plan, settings: LocalSettings, *, data_dir: Path, console: Console) -> None:
        self._settings = settings
        self._console = console
        self._port = choose_port(settings.host, settings.port)
        postgres, redis = Postgres(data_dir / "postgres"), Redis(data_dir / "redis")
        self._servers: list[Server] = []
        if settings.database_url is None:
            self._servers.append(postgres)
        if settings.redis_url is None:
            self._servers.append(redis)
        env = environment(
            settings,
            port=self._port,
            database_url=settings.database_url or postgres.application_url,
            owner_url=None if settings.database_url else postgres.url,
            redis_url=settings.redis_url or redis.url,
            secret=self._secret(data_dir),
        )
        self._migrations = self._running(plan.migrations, env)
        self._programs = [self._running(program, env) for program in plan.programs]

    @property
    def url(self) -> str:
        return self._settings.public_url or f"http://localhost:{self._port}"

    def start(self) -> None:
        """Returns when the system is ready for users; raises CannotRun."""
        self._start_servers()
        self._migrations.start()
        if self._migrations.wait() != 0:
            raise CannotRun("The database could not be brought up to date; the reason stands above.")
        for program in self._programs:
            program.start()
        self._await_ready()

    def keep(self) -> NoReturn:
        """Starts again what ends, until an exception from outside ends this."""
        parts: list[Keepable] = [*self._servers, *self._programs]
        keepers = [Keeper(part, say=self._console.say) for part in parts]
        while True:
            for keeper in keepers:
                keeper.look()
            time.sleep(_LOOK_SECONDS)

    def stop(self, *, hurried: Callable[[], bool]) -> None:
        """Programs first, then the servers that they use; kills what is still there when someone is in a hurry."""
        self._end([self._migrations, *self._programs], self._settings.drain_seconds + _STOP_SECONDS, hurried)
        self._end(self._servers, _STOP_SECONDS, hurried)

    def _start_servers(self) -> None:
        if self._settings.database_url is not None:
            reach_postgres(self._settings.database_url)
        if self._settings.redis_url is not None:
            reach_redis(self._settings.redis_url)
        for server in self._servers:
            server.start()
            self._console.say(f"{server.name} is ready; its log is {server.log_file}.")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            ready, answer = is_ready(self._settings.host, self._port)
            if ready:
                return
            for program in self._programs:
                if not program.alive:
                    end = how_it_ended(program.wait())
                    raise CannotRun(f"{program.name} {end} before the system was ready; its last words stand above.")
            if time.monotonic() > deadline:
                raise CannotRun(f"The system was not ready within {_READY_SECONDS:.0f} s; /readyz said: {answer}")
            time.sleep(_LOOK_SECONDS)

    def _end(self, parts: Sequence[Keepable], patience: float, hurried: Callable[[], bool]) -> None:
        for part in parts:
            part.ask_to_stop()
        deadline = time.monotonic() + patience
        while any(part.alive for part in parts) and time.monotonic() < deadline and not hurried():
            time.sleep(0.01)
        for part in parts:
            if part.alive:
                self._console.say(f"{part.name} did not stop in time and is killed.")
            part.kill()

    def _running(self, program: Program, env: Mapping[str, str]) -> RunningProgram:
        return RunningProgram(program, env=env, console=self._console)

    def _secret(self, data_dir: Path) -> str:
        given = self._settings.better_auth_secret
        return given.get_secret_value() if given is not None else keep_secret(data_dir / "secret")
