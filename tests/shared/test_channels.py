"""One pub/sub connection, many listeners: each hears its channel, or hears that it may have missed something."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from local.redis import Redis as RedisServer
from shared.channels import INBOX_SIZE, Channels, Inbox
from shared.redis import connect

pytestmark = pytest.mark.anyio

PATIENCE = 30.0


async def heard(inbox: Inbox) -> tuple[bool, list[bytes]]:
    """What comes next, however long it takes."""
    assert await inbox.wait(PATIENCE)
    return inbox.take()


async def subscriptions(redis: Redis) -> int:
    """How many connections of this server subscribe to something."""
    return len(await redis.client_list(_type="pubsub"))


@asynccontextmanager
async def own_server(directory: Path) -> AsyncIterator[tuple[RedisServer, Redis]]:
    """A server that may be killed, and a client of it."""
    with RedisServer(directory / "redis", durable=False) as server:
        client = connect(server.url)
        yield server, client
        await client.aclose()


async def test_what_is_published_after_listen_has_begun_is_heard(redis: Redis, channels: Channels) -> None:
    for number in range(50):
        async with channels.listen(f"channel {number}") as inbox:
            assert await redis.publish(f"channel {number}", b"news") == 1
            assert await heard(inbox) == (False, [b"news"])


async def test_all_listeners_of_a_process_share_one_connection(redis: Redis, channels: Channels) -> None:
    before = await subscriptions(redis)
    async with channels.listen("one") as one, channels.listen("one") as same, channels.listen("two") as two:
        assert await subscriptions(redis) == before + 1
        await redis.publish("one", b"1")
        await redis.publish("two", b"2")
        assert [(await heard(inbox))[1] for inbox in (one, same, two)] == [[b"1"], [b"1"], [b"2"]]


async def test_the_last_listener_unsubscribes_and_the_next_one_subscribes_anew(
    redis: Redis, channels: Channels
) -> None:
    async with channels.listen("a"), channels.listen("keeps the line"):
        pass
    async with channels.listen("fence"):
        assert await redis.pubsub_numsub("a") == [(b"a", 0)]
    async with channels.listen("a") as inbox:
        await redis.publish("a", b"again")
        assert await heard(inbox) == (False, [b"again"])


async def test_a_cut_line_is_told_to_every_listener_once_it_is_up_again(redis: Redis, channels: Channels) -> None:
    async with channels.listen("one") as one, channels.listen("two") as two:
        while not await redis.client_kill_filter(_type="pubsub"):
            pass
        await redis.publish("one", b"lost")
        assert (await heard(one), await heard(two)) == ((True, []), (True, []))
        await redis.publish("one", b"heard")
        assert await heard(one) == (False, [b"heard"])


async def test_a_listener_that_would_not_wait_is_told_of_the_gap_when_the_server_answers(channels: Channels) -> None:
    async with channels.listen("late", patience=0) as inbox:
        assert await heard(inbox) == (True, [])


async def test_a_listener_that_has_waited_is_told_of_no_gap(redis: Redis, channels: Channels) -> None:
    async with channels.listen("early") as inbox, channels.listen("another"):
        await redis.publish("early", b"first")
        assert await heard(inbox) == (False, [b"first"])


async def test_listeners_outlive_their_server(tmp_path: Path) -> None:
    server_of_its_own = own_server(tmp_path)
    async with server_of_its_own as (server, redis), Channels(redis) as channels, channels.listen("news") as inbox:
        server.kill()
        await asyncio.to_thread(server.start)
        assert await heard(inbox) == (True, [])
        await redis.publish("news", b"back")
        assert await heard(inbox) == (False, [b"back"])


async def test_without_a_server_the_listener_is_let_in_and_hears_nothing(tmp_path: Path) -> None:
    nowhere = connect(f"unix://{tmp_path}/none.sock")
    async with Channels(nowhere) as channels, channels.listen("news", patience=0.01) as inbox:
        assert not await inbox.wait(0.01)


async def test_closing_ends_the_connection(redis: Redis) -> None:
    async with Channels(redis) as channels, channels.listen("closing") as inbox:
        await redis.publish("closing", b"open")
        await heard(inbox)
        await channels.__aexit__()
        while await redis.pubsub_numsub("closing") != [(b"closing", 0)]:
            pass


class Stubborn:
    """A client whose connections swallow a cancellation that comes while they connect, as redis-py's can."""

    def __init__(self) -> None:
        self.connection_pool = self
        self.connecting = asyncio.Event()

    def make_connection(self) -> "Stubborn":
        return self

    async def connect(self) -> None:
        self.connecting.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async def read_response(self, **_: object) -> None:
        await asyncio.Event().wait()

    async def send_command(self, *_: object) -> None:
        """Says nothing."""

    async def disconnect(self, **_: object) -> None:
        """Has no connection."""


async def test_closing_ends_a_reader_that_is_connecting() -> None:
    client: Any = Stubborn()
    async with asyncio.timeout(PATIENCE), Channels(client):
        await client.connecting.wait()


def test_an_inbox_that_is_not_read_forgets_and_says_so() -> None:
    inbox = Inbox()
    for number in range(INBOX_SIZE + 2):
        inbox.put(b"%d" % number)
    assert inbox.take() == (True, [b"%d" % INBOX_SIZE, b"%d" % (INBOX_SIZE + 1)])
    assert inbox.take() == (False, [])


async def test_a_quiet_inbox_is_waited_for_no_longer_than_asked() -> None:
    inbox = Inbox()
    assert not await inbox.wait(0.001)
    inbox.gap()
    assert await inbox.wait(0)
    assert inbox.take() == (True, [])
    assert not await inbox.wait(0.001)
