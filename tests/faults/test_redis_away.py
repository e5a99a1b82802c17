"""Redis restarted, wiped, away; its connections killed, its messages dropped, its lines half-open (rows 20, 21)."""

import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.faults.checker import complaints, wrong_sequence
from tests.faults.clients import Tab, asking
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.report import Sighting
from tests.faults.scripts import Text, story, tokens
from tests.faults.waiting import until
from tests.house import Servers

PACE = 0.05


@pytest.mark.row(20)
@pytest.mark.parametrize("data", ["with", "without"])
def test_redis_restarts_and_runs_complete(
    house_of: HouseOf, own_servers: Servers, sighting: Sighting, data: str
) -> None:
    with house_of(workers=2, servers=own_servers) as house:
        house.model.answers_to("restart", Text(story(60)).waits_at(20, 40))
        tabs = [house.ask(f"plain restart {n}", user=f"user {n}") for n in range(3)]
        for tab in tabs:
            tab.shows("word18 ")
        own_servers.redis.kill()
        house.model.release("restart")
        for nth in range(3):
            tokens(house.model, "restart", 40, nth=nth)
        if data == "without":
            shutil.rmtree(own_servers.redis.data_dir)
        own_servers.redis.start()
        back = time.monotonic()
        for tab in tabs:
            sighting.took(tab.moved(back))
        house.model.release("restart")
        assert [tab.ended() for tab in tabs] == ["completed"] * 3
        assert {tab.text for tab in tabs} == {story(60)}
        assert house.sql("SELECT max(attempt) FROM runs") == [(1,)]
        assert complaints(house, tabs) == []
        sighting.seen(f"{data} data: three runs completed, each in one attempt")


@pytest.mark.row(20)
@pytest.mark.timeout(180)
def test_redis_is_down_for_a_minute(house_of: HouseOf, own_servers: Servers, sighting: Sighting) -> None:
    with house_of(workers=2, servers=own_servers) as house:
        house.model.answers_to("minute", Text(story(60)).waits_at(20))
        house.model.answers_to("queued", Text("at last"))
        running = house.ask("plain minute")
        running.shows("word18 ")
        own_servers.redis.kill()
        down = time.monotonic()
        house.model.release("minute")
        until(lambda: house.run(running)["status"] == "completed", "the end of the run, without Redis")
        assert running.ended() == "completed"
        queued = Tab(house.urls, "bob", body=asking("plain queued"), key="queued").start()
        until(lambda: queued.run_id or queued.refusals, "an answer to the POST")
        how = "accepted as queued" if queued.run_id else f"{queued.refusals[0].status} with Retry-After"
        assert all(one.status == 503 and one.headers.get("retry-after") for one in queued.refusals)
        time.sleep(max(0.0, 60 - (time.monotonic() - down)))
        own_servers.redis.start()
        back = time.monotonic()
        started = "SELECT 1 FROM runs WHERE user_id = 'bob' AND started_at IS NOT NULL"
        until(lambda: house.sql(started), "the start of the queued run")
        took = sighting.took(time.monotonic() - back)
        assert queued.ended() == "completed"
        assert queued.text == "at last"
        assert complaints(house, [running, queued]) == []
        assert took <= 3.0
        sighting.seen(f"down 60 s: the run ended meanwhile; the POST was {how}, and ran {took:.1f} s after")


@pytest.mark.row(21)
def test_subscriptions_killed_all_the_time_lose_and_double_nothing(team: FaultHouse, sighting: Sighting) -> None:
    tabs = talk(team, "killed")
    with repeatedly(lambda: team.redis.client_kill_filter(_type="pubsub"), every=0.05) as count:
        assert {tab.ended() for tab in tabs} == {"completed"}
    assert {tab.text for tab in tabs} == {story(60)}
    assert complaints(team, tabs) == []
    sighting.seen(f"pub/sub killed {count[0]} times under 12 readers")


@pytest.mark.row(21)
def test_messages_that_are_dropped_are_read_from_the_log(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=1, apis=0) as house:
        api = house.api(linked=True)
        api.links["redis"].filters = lambda: dropper(random.Random(21), share=0.3)
        api.links["redis"].reset()
        tabs = talk(house, "dropped")
        assert {tab.ended() for tab in tabs} == {"completed"}
        assert [said for tab in tabs for said in wrong_sequence(house, tab)] == []
        api.links["redis"].filters = None
        assert complaints(house, tabs) == []
        sighting.seen("three in ten messages dropped under 12 readers")


@pytest.mark.row(21)
@pytest.mark.timeout(90)
def test_half_open_lines_to_redis_are_noticed(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=1, apis=0) as house:
        api = house.api(linked=True)
        tabs = talk(house, "halfopen", pace=0.2)
        for tab in tabs:
            tab.shows("word5 ")
        api.links["redis"].silence()
        silent = time.monotonic()
        for tab in tabs:
            sighting.took(tab.moved(silent))
        assert {tab.ended() for tab in tabs} == {"completed"}
        api.links["redis"].reset()
        assert complaints(house, tabs) == []
        sighting.seen("every connection of an API half-open under 12 readers")


def talk(house: FaultHouse, name: str, *, pace: float = PACE) -> list[Tab]:
    """Four answers of three seconds, three tabs each."""
    house.model.answers_to(name, Text(story(60)).paced(pace))
    first = [house.ask(f"plain {name} {n}", user=f"user {n}") for n in range(4)]
    return [*first, *(house.follow(tab) for tab in first for _ in range(2))]


@contextmanager
def repeatedly(act: Callable[[], object], *, every: float) -> Iterator[list[int]]:
    """Do it again and again meanwhile; counts how often."""
    stop, count = threading.Event(), [0]

    def loop() -> None:
        while not stop.wait(every):
            with suppress(Exception):
                act()
                count[0] += 1

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join()


def dropper(chance: random.Random, *, share: float) -> Callable[[bytes], bytes]:
    """Takes whole pub/sub messages out of a stream of replies; everything else passes as it is."""
    head = b"*3\r\n$7\r\nmessage\r\n"

    def change(data: bytes) -> bytes:
        if not data.startswith(head) or not data.endswith(b"\r\n"):
            return data
        parts = data.split(head)[1:]
        return b"".join(head + part for part in parts if chance.random() >= share)

    return change
