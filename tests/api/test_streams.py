"""How many streams of one user a process keeps open."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from api.streams import OpenStreams
from shared.errors import TooMany
from shared.settings import Settings
from tests.api.conftest import api_of
from tests.sse import user_message

pytestmark = pytest.mark.anyio


def test_a_place_is_free_again_when_its_stream_has_ended() -> None:
    streams = OpenStreams(most=2)
    with ExitStack() as one, ExitStack() as two:
        one.enter_context(streams.seat("ann")).take()
        two.enter_context(streams.seat("ann")).take()
        with streams.seat("ann") as third, pytest.raises(TooMany):
            third.take()
        with streams.seat("bob") as other:
            other.take()
        one.close()
        with streams.seat("ann") as third:
            third.take()


def test_a_place_that_was_not_taken_is_nobodys_loss() -> None:
    streams = OpenStreams(most=1)
    with streams.seat("ann"), streams.seat("ann") as second:
        second.take()


async def test_a_stream_too_many_is_refused_before_anything_is_stored(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings(max_open_streams=1)) as api, api.client() as client:
        first = asyncio.create_task(client.post("/chatkit", json=user_message("hello")))
        row = None

        async def look() -> None:
            nonlocal row
            row = await api.house.database.across_users.one("SELECT id FROM runs", {})

        async with asyncio.timeout(30):
            while row is None:
                await look()
        for again in (
            client.post("/chatkit", json=user_message("hello")),
            client.post("/chatkit", json={"message": "hello"}),
            client.get(f"/runs/{row['id']}/events"),
        ):
            refused = await again
            assert (refused.status_code, refused.json()["type"]) == (429, "too-many")
            assert refused.headers["retry-after"] == "5"
        assert await api.house.database.across_users.all("SELECT id FROM runs", {}) == [row]
        assert (await client.get(f"/runs/{row['id']}")).status_code == 200
        api.house.closing.set()
        assert (await first).status_code == 200
        assert (await client.get(f"/runs/{row['id']}/events")).status_code == 200
        assert (await api.house.runs.get("ann", row["id"])).status == "queued"
