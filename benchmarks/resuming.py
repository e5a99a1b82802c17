"""What the baselines cannot do at all: coming back, and the queue and the log that make it possible.

Ours alone, beside a bare floor: one GET of the same bytes, a BLPOP, the ideal.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from statistics import median
from typing import Any, cast

from redis import Redis as SyncRedis
from redis.asyncio import Redis

from benchmarks.client import connected, fetched, percentile, received, request, said, together
from benchmarks.contenders import Contender
from benchmarks.cpu import Meter, memory_of
from benchmarks.model import order
from benchmarks.scenarios import Figures, Void, Work, complete
from shared import log_scripts
from shared.database import Database
from shared.queue import Queue
from shared.queue import connect as connect_queue
from shared.redis import connect
from tests.house import eventually
from tests.rows import queued


async def replay(contender: Contender) -> Figures:
    """An ended answer of 2,000 deltas, asked for again: from Redis, as one GET of the same bytes, and from Postgres."""
    whole = await fetched(contender.port, request("POST", "/chatkit", "user-0", said(order(2000))))
    complete([whole], 2000)
    run_id = whole.headers["x-run-id"]
    again = request("GET", f"/runs/{run_id}/events", "user-0")
    logged, bare = [], []
    async with _serving(whole.body) as floor:
        for _ in range(15):
            logged.append(await _seconds(contender.port, again))
            bare.append(await _seconds(floor, again))
    async with _redis(contender) as redis:
        await redis.delete(*log_scripts.keys(run_id)[:2])
    stored = [await _seconds(contender.port, again) for _ in range(15)]
    return {"from redis": median(logged), "one get": median(bare), "from postgres": median(stored)}


async def storm(contender: Contender) -> Figures:
    """A thousand readers of ten answers lose their line at the same moment and come back within 0.2 s."""
    runs, readers = 10, 1000
    opened = [await connected(contender.port) for _ in range(runs)]
    for number, stream in enumerate(opened):
        stream.ask(request("POST", "/chatkit", f"user-{number}", said(order(400, per_second=50))))
    await asyncio.gather(*(stream.begun for stream in opened))
    halves = [received(stream) for stream in opened]
    run_ids = [half.headers["x-run-id"] for half in halves]
    cut = []
    for number in range(readers):
        stream = await connected(contender.port)
        user = number % runs
        stream.ask(request("GET", f"/runs/{run_ids[user]}/events", f"user-{user}"))
        cut.append(stream)
    await asyncio.gather(*(stream.begun for stream in cut))
    await asyncio.sleep(1.0)
    for stream in cut:
        stream.close()
    before = [received(stream).ids for stream in cut]
    back = [
        request("GET", f"/runs/{run_ids[number % runs]}/events", f"user-{number % runs}", Last_Event_ID=ids[-1])
        for number, ids in enumerate(before)
    ]
    after = [stream.ids for stream in await together(contender.port, back, spread=0.2)]
    wrong = [number for number, (one, two) in enumerate(zip(before, after, strict=True)) if not _whole(one + two)]
    return {"readers": readers, "wrong": len(wrong)}


async def redis_bytes(contender: Contender) -> Figures:
    """What Redis keeps of an answer of 2,000 deltas, for each delta: on its way, after its end, and after the tail."""
    async with _redis(contender) as redis:
        stream = await connected(contender.port)
        stream.ask(request("POST", "/chatkit", "user-0", said(order(2000, per_second=1000))))
        await stream.begun
        run_id = received(stream).headers["x-run-id"]
        keys, kept = log_scripts.keys(run_id)[:2], 0.0
        while not stream.ended.done():
            said_so_far = int(await cast(Any, redis.hget(keys[0], "sequence")) or 1)
            if said_so_far > 1000:
                kept = await _memory(redis, keys) / said_so_far
            await asyncio.sleep(0.05)
        whole = received(stream)
        complete([whole], 2000)
        finished = await _memory(redis, keys) / 2000
        await asyncio.to_thread(eventually, partial(_is_gone, contender, run_id))
        after = await _memory(redis, keys)
    frames = sum(len(frame) + len(b"data: \n\n") for frame in whole.frames)
    return {"kept": kept, "finished": finished, "frames": frames / 2000, "after the tail": after}


async def _memory(redis: Redis, keys: list[str]) -> float:
    return float(sum([await redis.memory_usage(key) or 0 for key in keys]))


def _is_gone(contender: Contender, run_id: str) -> bool:
    assert contender.redis is not None
    client = SyncRedis.from_url(contender.redis.url)
    try:
        return not client.exists(*log_scripts.keys(run_id)[:2])
    finally:
        client.close()


async def slow_line(contender: Contender) -> Figures:
    """How long an answer of four seconds takes with Redis far away, from its first delta to its last."""
    deltas = 200
    answer = await fetched(contender.port, request("POST", "/chatkit", "user-0", said(order(deltas, per_second=50))))
    complete([answer], deltas)
    first, last = answer.asked_at + answer.first_delta, answer.arrivals[-1][0]
    return {"length": last - first, "ideal": (deltas - 1) / 50}


async def idle(contender: Contender) -> Figures:
    """The share of a core that each part takes while nothing is asked of it."""
    meter = Meter(contender).start()
    await asyncio.sleep(5.0)
    spent = meter.stop()
    return {part: seconds / spent.wall for part, seconds in spent.by_part.items()}


async def idle_streams(contender: Contender) -> Figures:
    """The memory of each open stream on which nothing happens, by part."""
    count = 400
    before = {part: memory_of(pid) for part, pid in contender.pids.items()}
    streams = [await connected(contender.port) for _ in range(count)]
    for number, stream in enumerate(streams):
        stream.ask(request("POST", "/chatkit", f"user-{number}", said("silence for 20 seconds")))
    await asyncio.gather(*(stream.begun for stream in streams))
    await asyncio.sleep(3.0)
    after = {part: memory_of(pid) for part, pid in contender.pids.items()}
    await asyncio.gather(*(stream.ended for stream in streams))
    for stream in streams:
        stream.close()
    return {part: (after[part] - before[part]) / count for part in before}


def pickup(in_flight: int) -> Work:
    """From a run's ring to its claim by the worker, with so many runs in its hands; beside a bare BLPOP."""

    async def work(contender: Contender) -> Figures:
        assert contender.house is not None
        busy = [await connected(contender.port) for _ in range(in_flight)]
        for number, stream in enumerate(busy):
            stream.ask(request("POST", "/chatkit", f"user-{number}", said("silence for 15 seconds")))
        await asyncio.gather(*(stream.begun for stream in busy))
        rung: dict[str, float] = {}
        floor = []
        async with Database(contender.database_url) as database, _queue(contender) as queue:
            for number in range(40):
                run = await queued(database, "1 deltas", user_id=f"picked-{number}")
                floor.append(await _bare_ring(contender))
                rung[run.id] = time.time()
                await queue.enqueue(run.id)
                await asyncio.to_thread(eventually, partial(_started, contender, run.id))
        waits = [started - rung[run_id] for run_id, started in _starts(contender, list(rung))]
        await asyncio.gather(*(stream.ended for stream in busy))
        for stream in busy:
            stream.close()
        return {"claimed p50": median(waits), "claimed p99": percentile(waits, 99), "blpop": median(floor)}

    return work


async def _bare_ring(contender: Contender) -> float:
    """A push, and the answer to a BLPOP that waited for it."""
    async with _redis(contender) as near, _redis(contender) as far:
        waiting = asyncio.create_task(cast(Any, far.blpop(["floor"])))
        while not (await near.info("clients"))["blocked_clients"]:
            pass
        begun = time.perf_counter()
        await cast(Any, near.lpush("floor", b"run"))
        await waiting
        return time.perf_counter() - begun


def _started(contender: Contender, run_id: str) -> bool:
    return bool(_starts(contender, [run_id]))


def _starts(contender: Contender, run_ids: list[str]) -> list[tuple[str, float]]:
    assert contender.house is not None
    query = "SELECT id, extract(epoch FROM started_at)::float FROM runs WHERE id = ANY(%s) AND started_at IS NOT NULL"
    return [(str(run_id), float(str(at))) for run_id, at in contender.house.sql(query, run_ids)]


@asynccontextmanager
async def _redis(contender: Contender) -> AsyncIterator[Redis]:
    assert contender.redis is not None
    client = connect(contender.redis.url)
    yield client
    await client.aclose()


@asynccontextmanager
async def _queue(contender: Contender) -> AsyncIterator[Queue]:
    assert contender.redis is not None
    client = await connect_queue(contender.redis.url)
    yield Queue(client)
    await client.aclose(close_connection_pool=True)


@asynccontextmanager
async def _serving(body: bytes) -> AsyncIterator[int]:
    """A server that answers whatever it is asked with these bytes; its port."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _seconds(port: int, data: bytes) -> float:
    begun = time.perf_counter()
    answer = await fetched(port, data)
    if answer.status != 200:
        raise Void(f"{answer.status}")
    return time.perf_counter() - begun


def _whole(ids: list[str]) -> bool:
    """Whether these are 1, 2, 3 … of one generation."""
    return [int(one.partition(".")[2]) for one in ids] == list(range(1, len(ids) + 1))
