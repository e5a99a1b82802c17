"""The pieces of work: each is done by one contender in one round, and gives figures by name.

Times are in seconds, `cpu` in processor seconds for each text delta. What a stream brings is counted and compared
with what was ordered: a stream that is short of a delta voids the figure.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from benchmarks.client import Received, connected, fetched, percentile, received, request, said, together
from benchmarks.contenders import Contender
from benchmarks.cpu import Meter, Spent
from benchmarks.model import order

Figures = dict[str, float]
Work = Callable[[Contender], Awaitable[Figures]]

PER_SECOND = 50


class Void(Exception):
    """The contender did not deliver what was ordered, or the client was the limit: the figure means nothing."""


def messages(count: int, text: str) -> list[bytes]:
    """One request each of so many users, saying this."""
    return [request("POST", "/chatkit", f"user-{number}", said(text)) for number in range(count)]


def complete(streams: list[Received], deltas: int) -> None:
    """Raises Void unless each stream is whole."""
    short = [(one.status, one.deltas) for one in streams if one.deltas != deltas or one.status != 200]
    if short:
        raise Void(f"{len(short)} of {len(streams)} streams, as (status, deltas) instead of {deltas}: {short[:3]}")


def spent(meter: Spent, deltas: int) -> Figures:
    """The cost of each delta, by part. Raises Void where this client was the limit."""
    if meter.client_share > 0.7:
        raise Void(f"the client took {meter.client_share:.0%} of a core")
    parts = {f"cpu {part}": seconds / deltas for part, seconds in meter.by_part.items()}
    return {**parts, "cpu": meter.total / deltas, "client": meter.client_share}


def first_deltas(count: int) -> Work:
    """One answer of twenty deltas after the other, each on an open connection of its own."""

    async def work(contender: Contender) -> Figures:
        streams = []
        for data in messages(count, order(20)):
            stream = await connected(contender.port)
            stream.ask(data)
            await stream.ended
            stream.close()
            streams.append(received(stream))
        complete(streams, 20)
        times = [stream.first_delta for stream in streams]
        return {"p50": median(times), "p99": percentile(times, 99)}

    return work


def at_full_speed(count: int, deltas: int) -> Work:
    """All streams at once, each as fast as it comes."""

    async def work(contender: Contender) -> Figures:
        meter = Meter(contender).start()
        streams = await together(contender.port, messages(count, order(deltas)))
        cost = meter.stop()
        complete(streams, deltas)
        times = [stream.first_delta for stream in streams]
        rate = {"deltas per second": count * deltas / cost.wall, "runs per second": count / cost.wall}
        return {**rate, "first p50": median(times), **spent(cost, count * deltas)}

    return work


def paced(count: int, seconds: float) -> Work:
    """Streams that begin evenly over a second and then say fifty deltas a second."""
    deltas = int(seconds * PER_SECOND)

    async def work(contender: Contender) -> Figures:
        meter = Meter(contender).start()
        streams = await together(contender.port, messages(count, order(deltas, per_second=PER_SECOND)), spread=1.0)
        cost = meter.stop()
        complete(streams, deltas)
        late = [lateness for stream in streams for lateness in stream.lateness]
        first = [stream.first_delta for stream in streams]
        figures = {"late p50": median(late), "late p99": percentile(late, 99)}
        if count > 1:
            figures |= {"first p50": median(first), "first p99": percentile(first, 99)}
        return {**figures, **spent(cost, count * deltas)}

    return work


async def held(contender: Contender) -> Figures:
    """How many paced streams it holds with 99 of 100 deltas at most 50 ms late."""
    good = 0
    for count in (25, 50, 75, 100, 150, 200, 250, 300, 400, 500):
        figures = await paced(count, 3.0)(contender)
        if figures["late p99"] > 0.05:
            break
        good = count
    return {"streams": good}


async def admissions(contender: Contender) -> Figures:
    """How many messages a second are taken and shown back, twenty at a time; nobody carries their runs out."""
    count, width, seen = 400, 20, 0
    waiting = messages(count, "1 deltas")
    begun = time.perf_counter()

    async def submit() -> None:
        nonlocal seen
        while waiting:
            stream = await connected(contender.port)
            stream.ask(waiting.pop())
            await stream.begun
            stream.close()
            if received(stream).status != 200:
                raise Void("a message was refused")
            seen += 1

    await asyncio.gather(*(submit() for _ in range(width)))
    return {"per second": seen / (time.perf_counter() - begun)}


def after_history(length: int) -> Work:
    """The first delta of an answer in a conversation that has so many messages already."""

    async def work(contender: Contender) -> Figures:
        assert contender.house is not None
        first = await fetched(contender.port, messages(1, "1 deltas")[0])
        conversation = first.headers["x-thread-id"]
        contender.house.sql(_FILL, length, conversation)
        times = []
        for _ in range(20):
            data = request("POST", "/chatkit", "user-0", said(order(5), conversation))
            answer = await fetched(contender.port, data)
            complete([answer], 5)
            times.append(answer.first_delta)
        return {"first p50": median(times)}

    return work


_FILL = """
INSERT INTO messages (conversation_id, id, position, type, role, content, item)
SELECT conversation_id, 'msg_old_' || n, -n, type, role, content, jsonb_set(item, '{id}', to_jsonb('msg_old_' || n))
FROM messages, generate_series(1, %s) n WHERE conversation_id = %s AND type = 'assistant_message'
"""
