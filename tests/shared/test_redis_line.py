"""A line to Redis: what it takes from redis-py, what it writes, and what it makes of an error or an end."""

import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.redis_line import READ_BYTES, Line, packed

pytestmark = pytest.mark.anyio


async def test_the_streams_of_a_redis_py_connection_are_where_they_were(redis: Redis) -> None:
    """Private to redis-py: an upgrade that moves them is seen here first."""
    connection = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    await connection.connect()
    assert isinstance(connection._reader, asyncio.StreamReader)
    assert isinstance(connection._writer, asyncio.StreamWriter)
    await connection.disconnect(nowait=True)


def test_a_command_is_packed_as_redis_reads_it() -> None:
    assert packed([b"SET", b"k\r\n", 12]) == b"*3\r\n$3\r\nSET\r\n$3\r\nk\r\n\r\n$2\r\n12\r\n"


async def test_answers_come_in_the_order_of_their_questions(redis: Redis) -> None:
    line = await Line.connect(redis)
    line.write(packed([b"RPUSH", b"list", b"a", b"\x00"]) + packed([b"LRANGE", b"list", 0, -1]))
    line.write(packed([b"GET", b"nothing"]))
    answers: list[object] = []
    while len(answers) < 3:
        answers += await line.read()
    assert answers == [2, [b"a", b"\x00"], None]
    await line.close()


async def test_an_answer_larger_than_one_reading_is_whole(redis: Redis) -> None:
    value = b"x" * (3 * READ_BYTES)
    line = await Line.connect(redis)
    line.write(packed([b"ECHO", value]))
    assert await line.read() == [value]
    await line.close()


async def test_an_error_is_no_answer_and_its_words_stay_here(redis: Redis) -> None:
    line = await Line.connect(redis)
    line.write(packed([b"EVALSHA", b"0" * 40, 0]))
    with pytest.raises(RedisConnectionError, match=r"^NOSCRIPT$"):
        await line.read()
    await line.close()


async def test_a_line_that_was_cut_says_so(redis: Redis) -> None:
    line = await Line.connect(redis)
    line.write(packed([b"CLIENT", b"ID"]))
    [client_id] = await line.read()
    await redis.execute_command("CLIENT", "KILL", "ID", client_id)
    with pytest.raises((RedisConnectionError, OSError)):
        await line.read()
    await line.close()
    with pytest.raises(RedisConnectionError):
        line.write(packed([b"PING"]))
