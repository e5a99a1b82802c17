"""API processes killed and stopped, and every process of a house stopped in turn under load (rows 8, 12, 13)."""

import threading
import time

import pytest

from tests.faults.checker import complaints
from tests.faults.clients import Tab, asking
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Calls, Text, story
from tests.faults.waiting import until

BY_SIGNAL = {0, -15}
"""How a process may end that was asked to: uvicorn, when it has shut down, dies of the signal it was sent."""

OF_USER = "SELECT id, status FROM runs WHERE user_id = %s"


@pytest.mark.row(8)
def test_an_api_killed_between_admission_and_queue_delays_the_run_and_loses_nothing(
    house_of: HouseOf, sighting: Sighting
) -> None:
    with house_of(workers=1, apis=1) as house:
        house.model.answers_to("admitted", Text(story(10)))
        doomed = house.api(linked=True)
        doomed.links["redis"].freeze()
        tab = Tab([doomed.url, house.apis[0].url], "ann", body=asking("plain admitted"), key="one key").start()
        until(lambda: house.sql(OF_USER, "ann"), "the admission's commit")
        doomed.kill()
        killed = time.monotonic()
        until(lambda: house.sql("SELECT 1 FROM runs WHERE started_at IS NOT NULL"), "the start of the run")
        assert sighting.took(time.monotonic() - killed) <= 3.0
        assert tab.ended() == "completed"
        assert len(house.sql(OF_USER, "ann")) == 1
        assert tab.text == story(10)
        assert complaints(house, [tab]) == []
        sighting.seen("started by the sweeper; the retry with the same key was given the same run")


@pytest.mark.row(13)
def test_a_stopping_api_sends_its_readers_away_and_they_go_on_elsewhere(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=1, apis=2) as house:
        house.model.answers_to("elsewhere", Text(story(60)).waits_at(20, 40))
        urls = house.urls
        tabs = [house.ask("plain elsewhere", user=f"user {n}", urls=urls) for n in range(10)]
        for tab in tabs:
            tab.shows("word18")
        began = time.monotonic()
        assert house.apis[0].stop(seconds=12) in BY_SIGNAL
        stopped = time.monotonic() - began
        house.model.release("elsewhere")
        for tab in tabs:
            tab.shows("word38")
        house.model.release("elsewhere")
        assert [tab.ended() for tab in tabs] == ["completed"] * 10
        assert complaints(house, tabs) == []
        assert all(tab.connections >= 2 for tab in tabs)
        sighting.took(stopped)
        sighting.seen(f"exited after {stopped:.1f} s; ten readers went on without a gap")


@pytest.mark.row(12)
@pytest.mark.timeout(300)
def test_every_process_is_stopped_in_turn_under_load_and_nothing_is_lost_or_doubled(
    house_of: HouseOf, sighting: Sighting
) -> None:
    with house_of(workers=2, apis=2) as house:
        script_of_conversations(house)
        stop = threading.Event()
        tabs: list[Tab] = []
        people = [threading.Thread(target=converse, args=(house, tabs, stop, n)) for n in range(20)]
        for person in people:
            person.start()
        until(lambda: len(tabs) >= 25, "the load")
        began = time.monotonic()
        codes = [restarted(house, kind) for kind in ("worker", "worker", "api", "api")]
        sighting.took(time.monotonic() - began)
        stop.set()
        for person in people:
            person.join(60)
        until(lambda: all(tab.status for tab in tabs), "all ends", seconds=60)
        assert set(codes) <= BY_SIGNAL
        assert {tab.status for tab in tabs} == {"completed"}
        assert house.sql("SELECT count(*) FROM runs WHERE crashes > 0") == [(0,)]
        assert complaints(house, tabs) == []
        calls = "SELECT count(*) FROM test_calls WHERE tool = 'note'"
        labels = "SELECT count(DISTINCT label) FROM test_calls WHERE tool = 'note'"
        assert house.sql(calls) == house.sql(labels)
        handed = house.sql("SELECT count(*) FROM runs WHERE attempt > 1")[0][0]
        sighting.seen(
            f"20 conversations, {len(tabs)} messages, {handed} handed over, 0 lost, 0 doubled, no crash counted"
        )


def script_of_conversations(house: FaultHouse) -> None:
    """Every answer: two tools, then a text that takes a second or two."""

    def choose(request):  # noqa: ANN001, ANN202
        name = request.user.split()[1]
        if request.step == 0:
            return Calls(Call("note", {"label": f"{name}n"}), Call("put", {"label": f"{name}p"}))
        return Text(story(40)).paced(0.04)

    house.model.answers(choose)


def converse(house: FaultHouse, tabs: list[Tab], stop: threading.Event, number: int) -> None:
    """One person: says something, reads the answer, says the next thing in the same conversation."""
    thread_id = None
    while not stop.is_set():
        name = label("load")
        tab = Tab(lambda: house.urls, f"user {number}", body=asking(f"plain {name}", thread_id), key=name).start()
        tabs.append(tab)
        tab.ended(seconds=90)
        thread_id = tab.thread_id


def restarted(house: FaultHouse, kind: str) -> int:
    """The oldest process of the kind is stopped once its successor is ready; its exit code."""
    old = next(one for one in (house.workers if kind == "worker" else house.apis) if one.alive)
    house.worker() if kind == "worker" else house.api()
    return old.stop(seconds=30)
