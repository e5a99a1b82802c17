"""Everything a worker is made of, made once and put together on this page."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from chatkit.server import ChatKitServer

from shared.attachments import AttachmentRules
from shared.channels import Channels
from shared.database import Database
from shared.errors import NotClaimable, StaleAttempt
from shared.event_log import EventLog
from shared.files import DirectoryFiles
from shared.ids import new_id
from shared.loop_lag import LoopLag
from shared.queue import Queue
from shared.queue import connect as connect_queue
from shared.redis import connect
from shared.runs import RunKind, Runs
from shared.settings import SCRIPTED, Settings
from worker import runner
from worker.agent import build_agent
from worker.attachment_store import OwnAttachments
from worker.bounds import Bounds
from worker.calls import execute_call
from worker.collector import Collector
from worker.conversation_store import ConversationStore
from worker.doorbell import Doorbell
from worker.execute import Room, execute_run
from worker.flusher import Flusher
from worker.lease import Leases, good_until
from worker.metrics import Outcome, WorkerMeter
from worker.metrics_port import metrics_port
from worker.model import warm_up
from worker.models import Models
from worker.responder import TodoServer
from worker.retention import Retention
from worker.server import load_context, load_server
from worker.slots import Attempt, Slots
from worker.stop import tell_only_of_stop
from worker.sweeper import Sweeper
from worker.turns import Turns


@dataclass(frozen=True)
class Wiring:
    """The parts that `worker.main` sets going."""

    owner: str
    room: Room
    slots: Slots
    doorbell: Doorbell
    sweeper: Sweeper
    channels: Channels
    leases: Leases
    collector: Collector
    retention: Retention
    lag: LoopLag
    meter: WorkerMeter


@asynccontextmanager
async def wired(
    settings: Settings,
    *,
    log_of: type[EventLog] = EventLog,
    leases_of: type[Leases] = Leases,
    store_of: type[ConversationStore] = ConversationStore,
) -> AsyncIterator[Wiring]:
    """A worker's parts, connected; everything is closed at the end. Raises what Postgres or Redis raise.

    The three that keep the laws are named: to see what each of them is for, a test takes another one.
    """
    runner.install(idle_timeout=settings.model_idle_timeout)
    meter = WorkerMeter()
    async with AsyncExitStack() as stack:
        postgres = partial(Database, settings.database_url, prepare=settings.database_prepare)
        database = await stack.enter_async_context(postgres())
        renewals = await stack.enter_async_context(postgres(min_size=1, max_size=2))
        events = connect(settings.events_url)
        stack.push_async_callback(events.aclose)
        bells = connect(settings.redis_url)
        stack.push_async_callback(bells.aclose)
        channels = await stack.enter_async_context(Channels(bells))
        arq_redis = await connect_queue(settings.redis_url)
        stack.push_async_callback(partial(arq_redis.aclose, close_connection_pool=True))
        queue = Queue(arq_redis)
        runs = Runs(database, at_once=settings.max_running_runs, ring=queue.ring)
        log = log_of(events, channels, tail=settings.log_tail)
        flusher = await stack.enter_async_context(Flusher(log, runs, tail=settings.log_tail, meter=meter))
        store = store_of(database)
        files = DirectoryFiles(settings.attachments_dir)
        own = OwnAttachments(database, files, AttachmentRules.of(settings))
        server = await build_server(settings, database, store, own)
        tell_only_of_stop(server)
        context, bounds = load_context(settings.chatkit_context), Bounds.of(settings)
        room = Room(database, runs, log, flusher, queue, server, build_context=context, bounds=bounds, meter=meter)
        slots = Slots(settings.worker_slots, partial(execute, room), on_free=lambda: doorbell.wake())  # noqa: PLW0108  (made below)
        owner = f"{socket.gethostname()}:{os.getpid()}:{new_id('w')[-8:]}"
        leases = leases_of(renewals, slots)
        lag = LoopLag()
        free = partial(room_for, slots, leases, lag, max_lag=settings.max_loop_lag)
        doorbell = Doorbell(arq_redis, claiming(runs, slots, owner), free=free)
        collector = Collector(database, files, unbound_seconds=settings.attachment_unbound_seconds)
        retention = Retention(database, days=settings.retention_days, journal_days=settings.journal_days)
        sweeper = Sweeper(database, log, queue, meter, at_once=settings.max_running_runs)
        meter.read_slots(settings.worker_slots, used=lambda: len(slots.attempts))
        meter.read_lag(lag)
        meter.read_parts(channels, log, queue)
        meter.read_pools(runs=database, leases=renewals)
        stack.enter_context(metrics_port(settings, meter))
        yield Wiring(owner, room, slots, doorbell, sweeper, channels, leases, collector, retention, lag, meter)


def room_for(slots: Slots, leases: Leases, lag: LoopLag, *, max_lag: float) -> int:
    """How many runs more this worker may take."""
    if not leases.healthy:
        return 0
    if lag.seconds <= max_lag:
        return slots.free
    # It takes one if it has none: where the whole machine is slow, somebody must answer all the same.
    return 0 if slots.attempts else min(slots.free, 1)


async def execute(room: Room, attempt: Attempt) -> None:
    """Carry out one claimed run of whatever kind, and tell the meter what came of the attempt."""
    room.meter.claimed(attempt.run.kind, attempt.run.attempt, attempt.age())
    outcome = Outcome.FAILED
    try:
        await (execute_call if attempt.run.kind == RunKind.CALL else execute_run)(room, attempt)
        outcome = attempt.outcome
    except asyncio.CancelledError:
        outcome = attempt.outcome
        raise
    finally:
        room.meter.attempt_ended(outcome, fenced=isinstance(attempt.failure, StaleAttempt))


async def build_server(
    settings: Settings, database: Database, store: ConversationStore, attachments: OwnAttachments
) -> ChatKitServer[Any]:
    """The ChatKitServer that answers: a team's own, or the todo agent. Raises UnusableServer and UnusableModel."""
    if settings.chatkit_server:
        return load_server(settings.chatkit_server, store=store, attachment_store=attachments)
    models = Models(settings)
    if settings.model_name != SCRIPTED:
        await warm_up(models.default)
    return TodoServer(
        store,
        attachments,
        agent=build_agent(models.default, database),
        models=models,
        turns=Turns(database, budget=settings.history_tokens),
    )


def claiming(runs: Runs, slots: Slots, owner: str) -> Callable[[str], Any]:
    """What a ring does: claim the run and start it; someone else's run is none of ours."""

    async def claim(run_id: str) -> None:
        with suppress(NotClaimable):
            asked_at = time.monotonic()
            claimed = await runs.claim(run_id, owner)
            slots.start(claimed, lease_until=good_until(asked_at))

    return claim
