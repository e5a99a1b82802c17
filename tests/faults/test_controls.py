"""Negative controls: with one safety taken out, the checker must fail. A suite that cannot fail proves nothing."""

import asyncio
from contextlib import aclosing

import pytest

from shared.channels import Channels
from shared.event_log import EventLog
from shared.pen import Append
from shared.records import Cursor, End, Event, encode
from shared.redis import connect
from tests import logs
from tests.faults.checker import complaints
from tests.faults.house import HouseOf
from tests.faults.proxy import Network
from tests.faults.report import Sighting
from tests.faults.scripts import Text, asked, first_time, story, tokens
from tests.faults.waiting import until
from tests.faults.witness import Witness
from tests.house import Servers

BROKEN = "tests.faults.broken_worker"
TRIALS = 10


@pytest.mark.row(40)
@pytest.mark.timeout(90)
def test_without_the_fence_the_checker_fails(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=0, DRAIN_SECONDS="1") as house:
        for _ in range(2):
            house.worker(module=BROKEN, ARGUMENTS="--without fence")
        first_time(house.model, "unfenced", Text(story(30)).waits_at(12), Text(story(30, "other")).waits_at(20))
        tab = house.ask("plain unfenced")
        tab.shows("word10")
        zombie = house.owner(tab)
        zombie.freeze()
        tokens(house.model, "unfenced", 20, nth=1)
        tab.shows("other18")
        asked(house.model, "unfenced")[0].opened += 1
        house.model.release("unfenced")
        until(lambda: tab.status, "the end of the second attempt")
        zombie.thaw()
        found = until(lambda: complaints(house, [tab, house.follow(tab)]), "a complaint", seconds=30)
        assert any("follows one of attempt" in one for one in found), found
        sighting.seen(f"the checker complains: {found[0][:120]}")


@pytest.mark.row(42)
def test_when_it_publishes_first_the_checker_fails(house_of: HouseOf, sighting: Sighting) -> None:
    for module, arguments, sound in (("worker", "", True), (BROKEN, "--without order", False)):
        with house_of(workers=0, DRAIN_SECONDS="1") as house:
            house.worker(module=module, ARGUMENTS=arguments)
            house.model.answers_to("order", Text(story(10)))
            witness = Witness(house)
            tab = house.ask("plain order", on_frame=witness)
            tab.ended()
            found = [*witness.complaints, *complaints(house, [tab])]
            assert (found == []) is sound, found
    sighting.seen(f"the checker complains: {found[0][:120]}")


class HastyChannels(Channels):
    """Subscribes, and does not wait for the server's word that it has."""

    async def _subscribed(self, name: bytes, patience: float) -> bool:
        self._acknowledged.setdefault(name, asyncio.Event())
        self._send(b"SUBSCRIBE", name)
        return True


@pytest.mark.row(41)
@pytest.mark.anyio
@pytest.mark.parametrize("channels", [Channels, HastyChannels])
async def test_without_the_ack_wait_events_are_lost(
    servers: Servers, sighting: Sighting, channels: type[Channels]
) -> None:
    path = servers.redis.url.removeprefix("unix://")
    with Network() as network:
        proxy = network.proxy(path)
        proxy.delay = 0.05
        redis, far = connect(servers.redis.url), connect(f"redis://127.0.0.1:{proxy.port}/0")
        async with channels(far) as listening:
            async with listening.listen("warm"):
                await asyncio.sleep(0.5)
            log = EventLog(redis, listening, tail=60, quiet=3600)
            lost = sum([await lost_in_trial(log, f"run_ack{channels.__name__}{n}") for n in range(TRIALS)])
        await redis.aclose()
        await far.aclose()
    assert (lost == 0) is (channels is Channels)
    kind = "with" if channels is Channels else "without"
    sighting.seen(f"{kind} the wait: {lost} of {TRIALS} readers lost the end")


async def lost_in_trial(log: EventLog, run_id: str) -> int:
    """1 if a reader that subscribes while the last record is written never hears of it."""
    event = Event(b'{"type":"progress_update","text":"x"}')
    expires_at = asyncio.get_running_loop().time() + 4e9
    await log.begin(run_id, attempt=1, generation=1, expires_at=expires_at, records=[event])
    caught_up = asyncio.Event()

    async def read() -> None:
        async with aclosing(log.follow(run_id)) as batches:
            async for batch in batches:
                if batch.records:
                    caught_up.set()

    reader = asyncio.create_task(read())
    await caught_up.wait()
    records = [encode(event), encode(End("completed"))]
    await logs.append(log, [Append(run_id, 1, Cursor(1, 1), records, expires_at)])
    _, pending = await asyncio.wait([reader], timeout=1.0)
    reader.cancel()
    await asyncio.wait([reader])
    return len(pending)
