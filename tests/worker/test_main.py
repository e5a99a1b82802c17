"""The worker at work: it hears rings and Stops, says that it is there, and goes when it is told to."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from agents.run import AgentRunner, set_default_agent_runner
from chatkit.types import ThreadMetadata, ThreadStreamEvent

from shared.database import Database
from shared.queue import Queue
from shared.runs import Runs
from shared.settings import Settings
from shared.tables import Run
from tests.rows import queued, row_of, stored
from tests.values import settings_of
from tests.waiting import until
from tests.worker.room import Says, half, speech
from worker.main import end, main, work
from worker.stop import tell_only_of_stop
from worker.wiring import Wiring, wired

pytestmark = pytest.mark.anyio


class Worker:
    """A worker in this process, whose server says half a sentence and waits."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self.may_end, self.spoke = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(work(settings, self._wired))

    def _wired(self, settings: Settings) -> AbstractAsyncContextManager[Wiring]:
        @asynccontextmanager
        async def with_our_server() -> AsyncIterator[Wiring]:
            async with wired(settings) as wiring:
                server = Says(wiring.room.database, self._respond)
                tell_only_of_stop(server)
                object.__setattr__(wiring.room, "server", server)
                yield wiring

        return with_our_server()

    async def _respond(self, thread: ThreadMetadata, *_: object) -> AsyncIterator[ThreadStreamEvent]:
        async for event in half(thread, "half a sentence", item_id="msg_half"):
            yield event
        self.spoke.set()
        await self.may_end.wait()
        async for event in speech(thread, "the whole"):
            yield event

    async def status(self, run: Run, *expected: str) -> str:
        while (status := (await row_of(self._database, run))["status"]) not in expected:
            assert not self.task.done(), self.task.result()
        return str(status)


@pytest.fixture
async def worker(database: Database, database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Worker]:
    servers = {"database_url": database_url, "redis_url": redis_url, "attachments_dir": tmp_path}
    started = Worker(settings_of(**servers, drain_seconds=0), database)
    yield started
    if not started.task.done():
        os.kill(os.getpid(), signal.SIGTERM)
        await started.task
    set_default_agent_runner(AgentRunner())


async def ring(queue: Queue, database: Database, worker: Worker) -> Run:
    """A run that the worker has begun to answer."""
    async with asyncio.timeout(30):
        while not await queue.worker_seen():
            assert not worker.task.done(), worker.task.result()
        run = await queued(database)
        await queue.enqueue(run.id)
        await worker.spoke.wait()
    return run


async def test_a_ring_is_answered(worker: Worker, database: Database, queue: Queue) -> None:
    run = await ring(queue, database, worker)
    worker.may_end.set()
    assert await worker.status(run, "completed", "failed") == "completed"
    assert [row["content"] for row in await stored(database, run)] == ["hello", "the whole"]


async def test_a_stop_is_heard(worker: Worker, database: Database, queue: Queue, runs: Runs) -> None:
    run = await ring(queue, database, worker)
    await runs.request_cancel("ann", run.id)
    await queue.announce_cancel(run.id)
    assert await worker.status(run, "cancelled") == "cancelled"


async def test_told_to_go_it_gives_back_what_it_has_and_says_that_it_has_gone(
    worker: Worker, database: Database, queue: Queue
) -> None:
    run = await ring(queue, database, worker)
    os.kill(os.getpid(), signal.SIGTERM)
    await worker.task
    row = await row_of(database, run)
    assert (row["status"], row["crashes"], row["owner"]) == ("queued", 0, None)
    assert not await queue.worker_seen()


def test_what_is_wrong_with_the_environment_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    assert main() == 1
    said: Any = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "DATABASE_URL" in said[0]


async def test_ctrl_c_is_as_good_as_a_term(worker: Worker, queue: Queue) -> None:
    async with asyncio.timeout(30):
        while not await queue.worker_seen():
            assert not worker.task.done(), worker.task.result()
    os.kill(os.getpid(), signal.SIGINT)
    await until(worker.task.done)


async def test_a_duty_that_swallows_a_cancellation_ends_all_the_same() -> None:
    hears = asyncio.Event()

    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            hears.set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    duty = asyncio.create_task(deaf())
    await hears.wait()
    async with asyncio.timeout(30):
        await end(duty)
    assert duty.cancelled()
