"""A worker with one safety taken out, to show that the checker notices.

`python -m tests.faults.broken_worker --without fence`: its log takes events of any attempt, and it neither
stands down nor watches itself. `--without order`: what it shows as done is stored a moment later.
"""

import argparse
import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

from redis.asyncio import Redis

from shared.channels import Channels
from shared.event_log import Append, Appended, EventLog
from shared.log_scripts import APPEND
from shared.logging import configure
from shared.queue import connect as connect_queue
from shared.redis import connect
from shared.settings import Settings
from worker.conversation_store import ConversationStore
from worker.doorbell import Doorbell
from worker.execute import Room
from worker.lease import Leases
from worker.log_writer import Flusher
from worker.main import listen
from worker.slots import Slots
from worker.wiring import Wiring, claiming, execute, wired

LATE_SECONDS = 0.3


class UnfencedLog(EventLog):
    """Appends whatever it is given, at the log's end."""

    def __init__(self, redis: Redis, channels: Channels, *, tail: float) -> None:
        super().__init__(redis, channels, tail=tail)
        script = APPEND
        for check in (
            "if tonumber(held[1]) > tonumber(ARGV[1]) then return -1 end\n",
            "if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end\n",
            "if sequence == first - 1 + #records then return 1 end\n",
            "if sequence ~= first - 1 then return 0 end\n",
        ):
            assert check in script
            script = script.replace(check, "")
        script = script.replace("publish(KEYS[3], ARGV[2], first", "publish(KEYS[3], ARGV[2], sequence + 1")
        self._append = redis.register_script(script)

    async def append(self, appends: Sequence[Append]) -> list[Appended]:
        await self._redis.script_load(self._append.script)
        return await super().append(appends)


class CarelessLeases(Leases):
    """Renews, and hears nothing of what came of it."""

    def stand_down(self) -> None: ...

    async def renew(self) -> None:
        attempts = self._slots.attempts
        query = """
            UPDATE runs SET lease_until = clock_timestamp() + interval '4 s'
            WHERE id = ANY(%(ids)s) AND owner = %(owner)s
        """
        await self._database.run(query, {"ids": [one.run.id for one in attempts], "owner": attempts[0].run.owner})


class EagerStore(ConversationStore):
    """Says that an item is stored, and stores it a moment later."""

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(LATE_SECONDS)
            with suppress(Exception):
                await super(EagerStore, self).add_thread_item(thread_id, item, context)

        self._late = asyncio.create_task(later())


@asynccontextmanager
async def broken(settings: Settings, without: str, whole: Wiring) -> AsyncIterator[tuple[Room, type[Leases]]]:
    """The room of a whole worker with that part taken out."""
    if without == "order":
        whole.room.server.store = EagerStore(whole.room.database)
        yield whole.room, Leases
        return
    redis = connect(settings.events_url)
    log = UnfencedLog(redis, whole.channels, tail=settings.log_tail)
    async with Flusher(log, whole.room.runs, tail=settings.log_tail) as flusher:
        yield replace(whole.room, log=log, flusher=flusher), CarelessLeases
    await redis.aclose()


async def work(settings: Settings, without: str) -> None:
    """What worker.main does, with the broken room."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with wired(settings) as whole, broken(settings, without, whole) as (room, leases_of):
        slots = Slots(settings.worker_slots, partial(execute, room), on_free=lambda: doorbell.wake())  # noqa: PLW0108
        claim = claiming(room.runs, room.queue, slots, whole.owner)
        redis = await connect_queue(settings.redis_url)
        doorbell = Doorbell(redis, claim, free=lambda: slots.free)
        leases = leases_of(whole.leases._database, slots)
        parts = replace(whole, room=room, slots=slots, doorbell=doorbell, leases=leases)
        duties = [
            doorbell.async_run(),
            listen(parts),
            leases.keep(),
            whole.sweeper.run(),
            room.queue.keep_seen(whole.owner),
        ]
        tasks = [asyncio.create_task(duty) for duty in duties]
        print("worker ready", flush=True)
        await stopping.wait()
        await slots.drain(patience=1, grace=1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--without", choices=["fence", "order"], required=True)
    chosen = parser.parse_args().without
    environment = Settings.load()
    configure(environment, process="worker")
    asyncio.run(work(environment, chosen))
