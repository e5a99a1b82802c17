"""Stop, in every state a run can be in, and leaving, which is never a Stop (rows 27 and 37)."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faults.checker import complaints
from tests.faults.clients import Tab
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Text, asked, first_time, story
from tests.faults.waiting import until

PARTIAL = "SELECT count(*) FROM messages WHERE run_id = %s AND type = 'assistant_message'"
COUNTS = "SELECT status, count(*) FROM runs WHERE id = ANY(%s) GROUP BY status"
ACTIVE = "SELECT count(*) FROM runs WHERE conversation_id = %s AND status IN ('queued', 'running')"


def stopped(house: FaultHouse, tab: Tab, *, api: int = 1) -> float:
    """Stop through the other replica; seconds until the tab was told the end."""
    began = time.monotonic()
    assert house.cancel(tab, api=api).status_code == 202
    assert tab.ended() == "cancelled"
    return tab.seen[-1].at - began


@pytest.mark.row(27)
def test_stop_in_mid_delta_keeps_the_partial_text_once_and_ends_the_model_call(
    team: FaultHouse, sighting: Sighting
) -> None:
    name = label("stopped")
    team.model.answers_to(name, Text(story(40)).waits_at(12))
    tab = team.ask(f"plain {name}")
    tab.shows("word12")
    took = sighting.took(stopped(team, tab))
    request = asked(team.model, name)[0]
    until(lambda: request.closed, "the end of the model call")
    assert took <= 1.0
    assert tab.text.strip() == story(12)
    assert team.sql(PARTIAL, tab.run_id) == [(1,)]
    assert request.tokens == 12
    assert team.sql(ACTIVE, tab.thread_id) == [(0,)]
    next_tab = team.ask(f"plain {label('after')}", thread_id=tab.thread_id)
    assert next_tab.ended() == "completed"
    assert complaints(team, [tab, next_tab]) == []
    sighting.seen(f"mid-delta: {took:.2f} s, partial text once, the model call ended")


@pytest.mark.row(27)
@pytest.mark.parametrize("tool", ["note", "stubborn", "sleepy"])
def test_stop_during_a_tool_starts_no_other(team: FaultHouse, sighting: Sighting, tool: str) -> None:
    name, later = label("stoptool"), label("stoplater")
    team.model.answers_to(name, Call(tool, {"label": name}), Call("note", {"label": later}), Text("never"))
    team.gates.arm(f"{name}.before")
    tab = team.ask(f"plain {name}")
    team.gates.reached(f"{name}.before")
    took = sighting.took(stopped(team, tab))
    team.gates.open(f"{name}.before")
    next_tab = team.ask(f"plain {label('after')}", thread_id=tab.thread_id)
    assert next_tab.ended() == "completed"
    assert team.ledger.calls(later) == []
    assert complaints(team, [tab, next_tab]) == []
    assert took <= 1.0
    sighting.seen(f"during {tool}: {took:.2f} s")


@pytest.mark.row(27)
def test_stop_while_queued_twice_and_after_the_end(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=1, apis=2, WORKER_SLOTS="1") as house:
        house.model.answers_to("first", Text(story(20)).waits_at(5))
        running = house.ask("plain first")
        running.shows("word5")
        queued = house.ask("plain second", user="bob")
        took = sighting.took(stopped(house, queued))
        assert [house.cancel(queued, api=n).json()["status"] for n in (0, 1)] == ["cancelled"] * 2
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda n: house.cancel(running, api=n % 2).status_code, range(4)))
        assert running.ended() == "cancelled"
        assert answers == [202] * 4
        assert house.sql(PARTIAL, running.run_id) == [(1,)]
        assert house.cancel(running).json() == {"status": "cancelled"}
        third = house.ask("plain third", user="bob", thread_id=queued.thread_id)
        assert third.ended() == "completed"
        assert house.cancel(third).json() == {"status": "completed"}
        assert complaints(house, [running, queued, third]) == []
        assert took <= 1.0
        sighting.seen(f"queued: {took:.2f} s; twice and after the end: the same answer")


@pytest.mark.row(27)
def test_stop_just_after_the_worker_was_killed(team: FaultHouse, sighting: Sighting) -> None:
    name = label("orphan")
    first_time(team.model, name, Text(story(40)).waits_at(12), Text(story(40)))
    tab = team.ask(f"plain {name}")
    tab.shows("word10")
    team.owner(tab).kill()
    took = sighting.took(stopped(team, tab))
    assert len(asked(team.model, name)) == 1
    assert team.sql(ACTIVE, tab.thread_id) == [(0,)]
    assert complaints(team, [tab]) == []
    assert took <= 5.0
    sighting.seen(f"worker just killed: {took:.2f} s")


@pytest.mark.row(37)
@pytest.mark.timeout(240)
def test_a_hundred_dropped_sockets_complete_and_a_hundred_stops_cancel(team: FaultHouse, sighting: Sighting) -> None:
    name = label("hundred")
    team.model.answers(lambda request: Text(story(30)).waits_at(5) if name in request.user else None)
    for wanted in ("completed", "cancelled"):
        tabs = [team.ask(f"plain {name} {wanted} {n}", user=f"{name}{n}") for n in range(100)]
        for tab in tabs:
            tab.shows("word4")
        with ThreadPoolExecutor(20) as pool:
            act = Tab.leave if wanted == "completed" else lambda tab: stopped(team, tab)
            times = list(pool.map(act, tabs))
        if wanted == "completed":
            team.model.release(f"{name} {wanted}")
        else:
            sighting.seconds += [round(one, 3) for one in times if one is not None]
        run_ids = [tab.run_id for tab in tabs]
        until(lambda run_ids=run_ids, wanted=wanted: team.sql(COUNTS, run_ids) == [(wanted, 100)], f"100 {wanted}")
        assert complaints(team, tabs) == []
    sighting.seen("100 dropped: 100 completed; 100 stopped: 100 cancelled")
