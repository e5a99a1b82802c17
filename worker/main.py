"""The worker: listens for rings, carries runs out, renews their leases, sweeps, and stops when told to."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import structlog
import uvloop

from shared import tracing
from shared.channels import Inbox
from shared.logging import configure
from shared.queue import BELL
from shared.reach import unreachable
from shared.settings import Settings, UnusableSettings
from worker.doorbell import Doorbell
from worker.model import UnusableModel
from worker.server import UnusableServer
from worker.slots import Slots
from worker.stop import StopReason
from worker.wiring import Wiring, wired

logger = structlog.get_logger()

HAND_OVER_SECONDS = 5.0
"""For what a drain stops at last: giving runs back takes one statement each."""


def main() -> int:
    """Work until SIGTERM or SIGINT; 1 if a server that it needs cannot be reached at the start."""
    try:
        settings = Settings.load()
        configure(settings, process="worker")
        tracing.configure(settings, process="worker")
        if complaint := unreachable(settings):
            print(complaint, file=sys.stderr)
            return 1
        uvloop.run(work(settings))
    except (UnusableSettings, UnusableServer, UnusableModel) as reason:
        print(reason, file=sys.stderr)
        return 1
    finally:
        tracing.shutdown()
    return 0


async def work(settings: Settings, wire: Callable[[Settings], AbstractAsyncContextManager[Wiring]] = wired) -> None:
    """Wire the worker and keep it going until a signal comes."""
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    async with wire(settings) as wiring:
        tasks = [asyncio.create_task(task) for task in _duties(wiring)]
        wiring.leases.watch()
        logger.info("worker ready", owner=wiring.owner, model=settings.model_name)
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
        await wiring.slots.drain(patience=settings.drain_seconds, grace=HAND_OVER_SECONDS)
        for task in (waiting, *tasks):
            await end(task)
        for task in tasks:
            with suppress(asyncio.CancelledError):
                task.result()
    logger.info("worker stopped")


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel it until it has ended: redis-py swallows a cancellation at some of its waits, and arq then polls on."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1.0)


def _duties(wiring: Wiring) -> list[Coroutine[None, None, None]]:
    return [
        wiring.doorbell.async_run(),
        listen(wiring),
        wiring.leases.keep(),
        wiring.sweeper.run(),
        wiring.collector.run(),
        wiring.retention.run(),
        wiring.lag.measure(),
        wiring.room.queue.keep_seen(wiring.owner),
    ]


async def listen(wiring: Wiring) -> None:
    """Hear the bell: look into the queue at a ring, stop a run at its cancel."""
    async with wiring.channels.listen(BELL) as inbox:
        while True:
            await inbox.wait(60.0)
            _heard(inbox, wiring.doorbell, wiring.slots)


def _heard(inbox: Inbox, doorbell: Doorbell, slots: Slots) -> None:
    missed, messages = inbox.take()
    if missed or b"ring" in messages:
        doorbell.wake()
    for message in messages:
        if message.startswith(b"cancel "):
            slots.stop(message.removeprefix(b"cancel ").decode(), StopReason.USER)
