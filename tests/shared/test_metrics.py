"""What both processes measure: read at a scrape from the parts, and kept apart from every other meter."""

import asyncio

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from shared.channels import Channels
from shared.database import Database
from shared.event_log import EventLog
from shared.metrics import Bounded, Meter, may_read
from shared.queue import Queue
from tests.numbers import number
from tests.values import settings_of
from tests.waiting import until

pytestmark = pytest.mark.anyio


def test_two_meters_of_one_process_share_no_number() -> None:
    one, other = Meter(), Meter()
    one.away(OSError())
    assert [number(meter, "server_away_total", server="redis") for meter in (one, other)] == [1, 0]


def test_a_counter_whose_labels_are_known_begins_at_zero() -> None:
    assert b'chatkit_server_away_total{server="postgres"} 0.0' in Meter().page()


async def test_a_pool_that_is_used_up_shows_who_waits_for_it(database_url: str) -> None:
    meter = Meter()
    async with Database(database_url, min_size=1, max_size=1) as pool:
        meter.read_pools(runs=pool)
        async with pool.across_users.connection():
            waiting = asyncio.create_task(pool.across_users.one("SELECT 1 AS one", {}))
            await until(lambda: number(meter, "postgres_waiting", pool="runs") == 1)
            assert number(meter, "postgres_connections", pool="runs") == 1
            assert number(meter, "postgres_connections_idle", pool="runs") == 0
        await waiting
    assert number(meter, "postgres_connections_limit", pool="runs") == 1
    assert number(meter, "postgres_errors_total", pool="runs", error="connect") == 0


async def test_a_cut_line_and_a_ring_are_counted_by_the_parts_themselves(
    redis: Redis, channels: Channels, event_log: EventLog, queue: Queue
) -> None:
    meter = Meter()
    meter.read_parts(channels, event_log, queue)
    await queue.enqueue("run_1")
    async with channels.listen("news") as inbox:
        while not await redis.client_kill_filter(_type="pubsub"):
            pass
        assert await inbox.wait(30)
    assert number(meter, "rings_total") == 1
    assert number(meter, "channel_connections_lost_total") == 1
    assert number(meter, "log_rereads_total") == 0


def test_who_may_read_is_anyone_until_a_token_is_set() -> None:
    assert may_read(settings_of(), None)
    guarded = settings_of(metrics_token=SecretStr("s3cret"))
    assert may_read(guarded, "Bearer s3cret")
    assert not any(may_read(guarded, said) for said in (None, "", "Bearer", "s3cret", "Bearer s3cret ", "Bearer é"))


def test_a_label_takes_so_many_values_and_no_more() -> None:
    name = Bounded(2)
    assert [name(value) for value in ("a", "b", "c", "a", "c")] == ["a", "b", "other", "a", "other"]
