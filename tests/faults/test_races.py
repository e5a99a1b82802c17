"""Requests that come at the same moment, and more of them than there is room for (rows 28 to 31)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.checker import complaints
from tests.faults.clients import Tab, asking
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Text, asked, story
from tests.faults.waiting import until

OF_CONVERSATION = "SELECT count(*) FROM messages WHERE conversation_id = %s AND type = 'user_message'"
STARTED = "SELECT count(*) FROM runs WHERE started_at IS NOT NULL"
AHEAD = """
SELECT count(*) - 5 FROM runs WHERE user_id = 'greedy'
AND started_at < (SELECT max(started_at) FROM runs WHERE user_id LIKE 'm_')
"""
"""How many of the greedy user's, beyond those that had the slots, were begun before the last modest one."""


@pytest.mark.row(28)
def test_two_messages_at_once_make_one_run(team: FaultHouse, sighting: Sighting) -> None:
    for turn in range(10):
        name = label("race")
        team.model.answers_to(f"{name} two", Text(story(10)).waits_at(5))
        thread_id = team.ask(f"plain {name} one").thread_id
        until(lambda thread_id=thread_id: not busy(team, thread_id), "the first answer")
        both = [
            Tab([url], "ann", body=asking(f"plain {name} two", thread_id), key=f"{name} {n}")
            for n, url in enumerate(team.urls)
        ]
        for tab in both:
            tab.start()
        until(lambda both=both: any(tab.refusals for tab in both) and any(tab.run_id for tab in both), "both answers")
        (loser,) = [tab for tab in both if tab.refusals]
        (winner,) = [tab for tab in both if tab.run_id]
        assert loser.refusals[0].status == 409
        assert {key.lower(): value for key, value in loser.refusals[0].headers.items()}["x-run-id"] == winner.run_id
        winner.shows("word4")
        team.model.release(name)
        assert winner.ended() == "completed"
        assert team.sql(OF_CONVERSATION, thread_id) == [(2,)], turn
        assert complaints(team, [winner]) == []
    sighting.seen("ten times: one run, one 409 with its id, no orphan message")


@pytest.mark.row(29)
def test_one_key_fifty_times_in_parallel_is_one_run(team: FaultHouse, sighting: Sighting) -> None:
    name = label("samekey")
    team.model.answers_to(name, Text(story(30)).waits_at(10))
    body, urls = asking(f"plain {name}"), team.urls
    tabs = [Tab(urls[n % 2 :] + urls[: n % 2], "ann", body=body, key=name) for n in range(50)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.shows("word9 ")
    team.model.release(name)
    assert {tab.ended() for tab in tabs} == {"completed"}
    assert len({tab.run_id for tab in tabs}) == 1
    assert len({tuple(str(seen.frame.data) for seen in tab.seen if seen.frame.id) for tab in tabs}) == 1
    assert len(asked(team.model, name)) == 1
    with team.client() as client:
        other = client.post("/chatkit", json=asking("something else"), headers={"Idempotency-Key": name})
    assert other.status_code == 422
    assert complaints(team, tabs) == []
    sighting.seen("one run, 50 identical streams; the key with another body is a 422")


@pytest.mark.row(30)
@pytest.mark.parametrize("during", ["text", "tool"])
def test_a_conversation_deleted_during_its_run_stays_deleted(team: FaultHouse, sighting: Sighting, during: str) -> None:
    name = label("deleted")
    first = Text(story(40)).waits_at(12) if during == "text" else Call("note", {"label": name})
    team.model.answers_to(name, first, Text("never"))
    team.gates.arm(f"{name}.before")
    tab = team.ask(f"plain {name}")
    if during == "text":
        tab.shows("word10")
    else:
        team.gates.reached(f"{name}.before")
    began = time.monotonic()
    with team.client(tab.user) as client:
        assert client.delete(f"/api/conversations/{tab.thread_id}").status_code == 200
    ended = tab.ended()
    sighting.took(time.monotonic() - began)
    if during == "text":
        until(lambda: asked(team.model, name)[0].closed, "the end of the model call")
    team.gates.open(f"{name}.before")
    team.model.release(name)
    time.sleep(1.5)
    assert ended == "cancelled"
    for table in ("conversations", "messages", "runs", "run_steps", "tool_calls", "turns"):
        column = {"conversations": "id", "run_steps": "run_id", "tool_calls": "run_id", "runs": "id"}.get(table)
        value = tab.thread_id if column in (None, "id") and table != "runs" else tab.run_id
        assert team.sql(f"SELECT count(*) FROM {table} WHERE {column or 'conversation_id'} = %s", value) == [(0,)]
    with team.client(tab.user) as client:
        assert client.get(f"/api/conversations/{tab.thread_id}").status_code == 404
    sighting.seen(f"during {during}: cancelled, no row came back")


@pytest.mark.row(31)
@pytest.mark.timeout(150)
def test_a_burst_is_refused_before_anything_is_stored_and_nobody_starves(house_of: HouseOf, sighting: Sighting) -> None:
    limits = {"WORKER_SLOTS": "5", "MAX_QUEUED": "50", "MAX_ACTIVE_RUNS": "20"}
    with house_of(workers=1, apis=2, **limits) as house:
        house.model.answers(lambda _: Text(story(5)).waits_at(2))
        greedy = burst(house, [Tab(turned(house.urls, n), "greedy", body=asking(f"plain g{n}")) for n in range(50)])
        until(lambda: house.sql(STARTED) == [(5,)], "full slots")
        modest = [tab for n in range(5) for tab in burst(house, [Tab(house.urls, f"m{n}", body=asking(f"plain m{n}"))])]
        crowd = [Tab(turned(house.urls, n), f"crowd {n}", body=asking(f"plain c{n}")) for n in range(100)]
        burst(house, crowd)
        accepted = [tab for tab in (*greedy, *modest, *crowd) if tab.run_id]
        refused = [one for tab in (*greedy, *modest, *crowd) for one in tab.refusals]
        assert house.sql("SELECT count(*) FROM runs") == [(len(accepted),)]
        assert house.sql("SELECT count(*) FROM conversations") == [(len(accepted),)]
        assert {one.status for tab in greedy for one in tab.refusals} == {429}
        assert {one.status for tab in crowd for one in tab.refusals} == {503}
        assert all(one.headers.get("retry-after") for one in refused)
        assert all(tab.run_id for tab in modest)
        assert sum(bool(tab.run_id) for tab in greedy) == 20
        until(lambda: [house.model.release()] and all(tab.status for tab in accepted), "the accepted ones' ends")
        assert {tab.status for tab in accepted} == {"completed"}
        ((ahead,),) = house.sql(AHEAD)
        assert complaints(house, accepted) == []
        assert ahead <= 2, "more of the greedy user's than two were begun before the modest ones"
        counts = f"{len(accepted)} of {len(accepted) + len(refused)} accepted"
        slowest = max(one.seconds for one in refused)
        sighting.seen(f"5 slots: {counts}, the others refused within {slowest:.1f} s; {ahead} of the greedy ahead")


def burst(house: FaultHouse, tabs: list[Tab]) -> list[Tab]:
    """All at once, and all answered."""
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(Tab.start, tabs))
    until(lambda: all(tab.run_id or tab.refusals for tab in tabs), "answers to the burst")
    return tabs


def turned(urls: list[str], number: int) -> list[str]:
    """The addresses, another one first for every other client."""
    return urls[number % 2 :] + urls[: number % 2]


def busy(house: FaultHouse, thread_id: str) -> bool:
    query = "SELECT 1 FROM runs WHERE conversation_id = %s AND status IN ('queued', 'running')"
    return bool(house.sql(query, thread_id))
