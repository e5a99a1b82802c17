"""Postgres restarted, away, exhausted; a worker cut off from it or from Redis alone (rows 22, 23)."""

import time

import pytest

from tests.faults.checker import complaints
from tests.faults.clients import Tab, asking
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.report import Sighting
from tests.faults.scripts import Text, asked, first_time, story
from tests.faults.waiting import until
from tests.faults.witness import Witness
from tests.house import Servers

LEASE = 4.0


@pytest.mark.row(22)
@pytest.mark.timeout(150)
@pytest.mark.parametrize("seconds", [2.0, 10.0])
def test_postgres_is_away_and_every_worker_stands_down_before_its_lease_ends(
    house_of: HouseOf, own_servers: Servers, sighting: Sighting, seconds: float
) -> None:
    with house_of(workers=2, servers=own_servers) as house:
        first_time(house.model, "away", Text(story(60)).waits_at(20), Text(story(60)))
        witness = Witness(house)
        tab = house.ask("plain away", on_frame=witness)
        tab.shows("word18 ")
        own_servers.postgres.stop()
        down, clock = time.monotonic(), time.time()
        refused = posted(house, "during")
        time.sleep(max(0.0, seconds - (time.monotonic() - down)))
        closed = asked(house.model, "away")[0].closed_at
        own_servers.postgres.start()
        back = time.monotonic()
        house.model.release("away")
        assert tab.ended() == "completed"
        sighting.took(time.monotonic() - back)
        assert tab.text == story(60)
        assert witness.complaints == []
        assert complaints(house, [tab]) == []
        assert refused.refusals
        assert refused.refusals[0].status == 503
        assert refused.refusals[0].headers.get("retry-after")
        if seconds > LEASE:
            assert closed is not None
            assert closed - clock <= LEASE
            sighting.seen(f"away {seconds:.0f} s: stood down after {closed - clock:.1f} s")
        sighting.seen(f"503 after {refused.refusals[0].seconds:.1f} s")
        assert refused.refusals[0].seconds <= 6.0


@pytest.mark.row(22)
def test_an_exhausted_pool_answers_503_and_recovers(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=1) as house:
        house.model.answers_to("pool", Text("here"))
        with house.locked("idempotency_keys"):
            tabs = [Tab(house.urls, f"user {n}", body=asking("plain pool"), key=f"key {n}").start() for n in range(30)]
            until(lambda: any(tab.refusals for tab in tabs), "a refusal")
            slowest = max(one.seconds for tab in tabs for one in tab.refusals)
            assert {one.status for tab in tabs for one in tab.refusals} == {503}
            assert all(one.headers.get("retry-after") for tab in tabs for one in tab.refusals)
        began = time.monotonic()
        assert {tab.ended() for tab in tabs} == {"completed"}
        sighting.took(time.monotonic() - began)
        assert house.sql("SELECT count(*) FROM runs") == [(30,)]
        assert complaints(house, tabs) == []
        sighting.seen(f"pool exhausted: 503 after {slowest:.1f} s; all 30 answered afterwards")


@pytest.mark.row(23)
@pytest.mark.timeout(90)
def test_a_worker_cut_off_from_postgres_is_replaced(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=2, linked=True) as house:
        first_time(house.model, "cut off", Text(story(60)).waits_at(20), Text(story(60)))
        tab = house.ask("plain cut off")
        tab.shows("word18 ")
        owner = house.owner(tab)
        owner.links["postgres"].freeze()
        cut = time.monotonic()
        took = sighting.took(tab.moved(cut))
        assert tab.ended() == "completed"
        house.model.release("cut off")
        owner.links["postgres"].thaw()
        assert tab.text == story(60)
        assert house.run(tab)["attempt"] == 2
        assert complaints(house, [tab]) == []
        assert took <= 6.0
        sighting.seen(f"Postgres only: taken over, moving after {took:.1f} s")


@pytest.mark.row(23)
@pytest.mark.timeout(90)
def test_a_worker_cut_off_from_redis_goes_on_and_is_heard_later(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=2, linked=True) as house:
        house.model.answers_to("unheard", Text(story(60)).waits_at(20, 40))
        tab = house.ask("plain unheard")
        tab.shows("word18 ")
        owner = house.owner(tab)
        owner.links["redis"].freeze()
        house.model.release("unheard")
        until(lambda: asked(house.model, "unheard")[0].tokens >= 40, "the model's next words")
        time.sleep(LEASE + 1)
        assert house.run(tab)["attempt"] == 1
        owner.links["redis"].thaw()
        healed = time.monotonic()
        sighting.took(tab.moved(healed))
        house.model.release("unheard")
        assert tab.ended() == "completed"
        assert tab.text == story(60)
        assert house.run(tab)["attempt"] == 1
        assert complaints(house, [tab]) == []
        sighting.seen("Redis only: the same attempt went on, and said everything once healed")


def posted(house: FaultHouse, name: str) -> Tab:
    """One POST, answered somehow."""
    tab = Tab(house.urls, "bob", body=asking(f"plain {name}")).start()
    until(lambda: tab.refusals or tab.run_id, "an answer to the POST")
    return tab
