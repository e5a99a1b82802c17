"""One connection to Redis, below redis-py's commands: for what happens with every event of every run.

redis-py makes the connection (TLS, ACL, the database, Sentinel). From then on bytes are written and read here: its own
way of a command waits several times before a byte is on its way, and takes longer than Redis does. The two streams
that are taken over are private to it, and so pinned by tests/contract.
"""

from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, cast

from hiredis import Reader, ReplyError
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

READ_BYTES = 65536


class Line:
    """What is written is on its way at once; answers are read in the order of their questions.

    Raises redis' ConnectionError where the connection has ended, and for any error that Redis answers with: a line
    that was told one is not to be used any more.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        streams = cast(Any, connection)
        self._connection = connection
        self._reader: StreamReader = streams._reader
        self._writer: StreamWriter = streams._writer
        self._parser = Reader(protocolError=RedisConnectionError)

    @classmethod
    async def connect(cls, redis: Redis) -> "Line":
        """A line of one's own to the server of this client. Raises what redis raises where it does not answer."""
        connection = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        await connection.connect()
        return cls(connection)

    def write(self, command: bytes) -> None:
        """Send one or more packed commands."""
        if self._writer.is_closing():
            raise RedisConnectionError("the line is closed")
        self._writer.write(command)

    async def read(self) -> list[Any]:
        """The answers that have come by now, at least one."""
        answers: list[Any] = []
        while not answers:
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise RedisConnectionError("the line has ended")
            self._parser.feed(data)
            while (answer := self._parser.gets()) is not False:
                if isinstance(answer, ReplyError):
                    raise RedisConnectionError(str(answer).partition(" ")[0])
                answers.append(answer)
        return answers

    async def close(self) -> None:
        """End it, without a word."""
        with suppress(Exception):
            await self._connection.disconnect(nowait=True)


def packed(parts: Iterable[bytes | int]) -> bytes:
    """A command as Redis reads it (RESP)."""
    written = [part if isinstance(part, bytes) else b"%d" % part for part in parts]
    return b"*%d\r\n" % len(written) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in written])
