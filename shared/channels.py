"""One pub/sub connection for a whole process, fanned out to every listener in it.

A listener is told two things: a message, or that it may have missed some. The second happens when the
connection was made anew, or when its inbox overflowed; Redis keeps nothing for a subscriber that is away.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shared.redis_line import Line, packed

logger = structlog.get_logger()

INBOX_SIZE = 1000
SILENCE = 10.0
"""Seconds without a byte after which the connection is asked for a sign of life, and then given up."""

REDIS_AWAY = (RedisError, OSError, asyncio.TimeoutError)


class Inbox:
    """What one listener has not yet read, and whether anything was lost on the way (`missed`)."""

    def __init__(self) -> None:
        self.missed = False
        self.early = False
        """Its listener would not wait for the server's acknowledgement."""
        self._messages: deque[bytes] = deque()
        self._news = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Leave a message; a listener that does not read loses the backlog, never the process its memory."""
        if len(self._messages) >= INBOX_SIZE:
            self._messages.clear()
            self.missed = True
        self._messages.append(message)
        self._news.set()

    def gap(self) -> None:
        """Something may be missing from here on."""
        self.missed = True
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for news; False after so many quiet seconds."""
        if not self._news.is_set():
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        return self._news.is_set()

    def take(self) -> tuple[bool, list[bytes]]:
        """(whether anything was missed, the messages since the last call)."""
        self._news.clear()
        missed, self.missed = self.missed, False
        messages = list(self._messages)
        self._messages.clear()
        return missed, messages


class Channels:
    """The process's subscriptions. `async with` starts and stops the one connection."""

    def __init__(self, redis: Redis) -> None:
        self.lost = 0
        """Connections that ended by themselves."""
        self._redis = redis
        self._inboxes: dict[bytes, set[Inbox]] = defaultdict(set)
        self._acknowledged: dict[bytes, asyncio.Event] = {}
        self._line: Line | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Channels":
        self._reader = asyncio.create_task(self._read_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None:
            # More than once: redis-py swallows a cancellation that comes while it connects.
            while not self._reader.done():
                self._reader.cancel()
                await asyncio.wait([self._reader], timeout=0.1)

    @asynccontextmanager
    async def listen(self, channel: str, *, patience: float = 1.0) -> AsyncIterator[Inbox]:
        """An inbox on this channel, subscribed *and acknowledged* by the server before the body runs.

        Without the wait, what is published between the request and its effect is lost unseen. When Redis does
        not answer within `patience` seconds the body runs all the same; the inbox reports a gap once it does.
        """
        name, inbox = channel.encode(), Inbox()
        self._inboxes[name].add(inbox)
        try:
            inbox.early = not await self._subscribed(name, patience)
            yield inbox
        finally:
            self._inboxes[name].discard(inbox)
            if not self._inboxes[name]:
                del self._inboxes[name]
                self._acknowledged.pop(name, None)
                self._send(b"UNSUBSCRIBE", name)

    async def _subscribed(self, name: bytes, patience: float) -> bool:
        acknowledged = self._acknowledged.get(name)
        if acknowledged is None:
            acknowledged = self._acknowledged[name] = asyncio.Event()
            self._send(b"SUBSCRIBE", name)
        with suppress(asyncio.TimeoutError):
            async with asyncio.timeout(patience):
                await acknowledged.wait()
        return acknowledged.is_set()

    def _send(self, command: bytes, *names: bytes) -> None:
        """Fire and forget: while there is no connection, the next one subscribes to everything anyway."""
        if self._line is not None:
            with suppress(*REDIS_AWAY):
                self._line.write(packed([command, *names]))

    async def _read_for_ever(self) -> None:
        pause = 0.05
        while True:
            line = None
            try:
                line = self._line = await Line.connect(self._redis)
                for name in list(self._inboxes):
                    self._send(b"SUBSCRIBE", name)
                pause = 0.05
                await self._read(line)
            except REDIS_AWAY as error:
                self.lost += 1
                logger.warning("channels lost their connection", error=type(error).__name__)
            finally:
                self._line = None
                if line is not None:
                    await line.close()
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def _read(self, line: Line) -> None:
        asked = False
        while True:
            replies: list[list[bytes]] = []
            with suppress(asyncio.TimeoutError):
                async with asyncio.timeout(SILENCE):
                    replies = await line.read()
            if not replies and asked:
                raise ConnectionError("no answer to PING")
            if asked := not replies:
                self._send(b"PING")
            for reply in replies:
                self._deliver(reply)

    def _deliver(self, reply: list[bytes]) -> None:
        match reply:
            case [b"message", channel, data]:
                for inbox in self._inboxes.get(channel, ()):
                    inbox.put(data)
            case [b"subscribe", channel, _]:
                acknowledged = self._acknowledged.get(channel)
                if acknowledged is None:
                    return
                for inbox in self._inboxes.get(channel, ()):
                    # The connection is a new one, or its word came late: what was published meanwhile is gone.
                    if acknowledged.is_set() or inbox.early:
                        inbox.early = False
                        inbox.gap()
                acknowledged.set()
