"""A worker that dies at a chosen step to Postgres: before it or after it, and nothing of what follows lands."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from agents import Agent, Runner
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.types import ThreadStreamEvent
from psycopg import OperationalError

from shared.database import Connection, Database
from shared.event_log import EventLog
from shared.queue import Queue
from shared.runs import Runs
from shared.tables import Run
from tests.rows import requeued
from tests.worker.room import Place, Says, place_of
from worker.bounds import UNBOUNDED, Bounds
from worker.flusher import Flusher
from worker.stop import tell_only_of_stop


class Died(OperationalError):
    """The process was killed: what it still tries comes to nothing."""


class Mortal(Database):
    """Dies at its n-th step. Every use of a connection is two: what comes before it, and what comes after."""

    def __init__(self, url: str, *, dies_at: int | None) -> None:
        super().__init__(url)
        self._dies_at = dies_at
        self.steps = 0
        self.dead = False
        self.flusher: Flusher | None = None

    @asynccontextmanager
    async def _lend(self) -> AsyncIterator[Connection]:
        await self._step()
        async with super()._lend() as connection:
            yield connection
        await self._step()

    async def _step(self) -> None:
        self.steps += 1
        if self.steps == self._dies_at:
            self.dead = True
            if self.flusher is not None:
                await self.flusher.__aexit__()
        if self.dead:
            raise Died


class Lives:
    """A run's attempts, each in a worker of its own, around a server that `build` makes on its database."""

    def __init__(
        self,
        url: str,
        database: Database,
        event_log: EventLog,
        queue: Queue,
        build: Callable[[Database], Any],
        bounds: Bounds = UNBOUNDED,
    ) -> None:
        self._url, self._database, self._log, self._queue, self._build = url, database, event_log, queue, build
        self._bounds = bounds
        self.place: Place | None = None
        """To look at what the last attempt has left."""

    async def live(self, run: Run, *, dies_at: int | None = None) -> Mortal:
        """One attempt more, to its end or its death."""
        if run.attempt > 0:
            await requeued(self._database, run)
        run.attempt = (claimed := (await Runs(self._database).claim(run.id, "w")).run).attempt
        async with Mortal(self._url, dies_at=dies_at) as mortal:
            server: ChatKitServer[Any] = self._build(mortal)
            tell_only_of_stop(server)
            async with place_of(mortal, self._log, self._queue, server, self._bounds) as place:
                mortal.flusher = place.room.flusher
                self.place = Place(replace(place.room, database=self._database))
                with suppress(Died):
                    await place.carry_out(claimed)
        return mortal


def agent_server(build_agent: Callable[[], Agent[Any]]) -> Callable[[Database], ChatKitServer[Any]]:
    """A team's plain server: each answer is what the agent says."""

    def build(database: Database) -> ChatKitServer[Any]:
        async def respond(thread: Any, _: Any, context: Any) -> AsyncIterator[ThreadStreamEvent]:
            agent_context: AgentContext[Any] = AgentContext(thread=thread, store=server.store, request_context=context)
            result = Runner.run_streamed(build_agent(), "go", context=agent_context)
            async for event in stream_agent_response(agent_context, result):
                yield event

        server = Says(database, respond)
        return server

    return build
