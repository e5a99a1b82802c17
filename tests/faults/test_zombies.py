"""Workers that are neither dead nor alive: stopped, blocked, killed by what they carry out (rows 9 to 11)."""

import time

import pytest

from tests.faults.checker import complaints
from tests.faults.house import FaultHouse
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Text, first_time, story
from tests.faults.waiting import until
from tests.model_replies import Reply

BY_ATTEMPT = "SELECT attempt, count(*) FROM messages WHERE run_id = %s AND attempt > 0 GROUP BY attempt ORDER BY 1"


@pytest.mark.row(9)
@pytest.mark.timeout(120)
def test_a_worker_that_was_stopped_wakes_and_changes_nothing(team: FaultHouse, sighting: Sighting) -> None:
    name = label("zombie")
    # What it has yet to read when it stops: the rest of a text, and a tool call.
    half = Reply(text=story(30), calls=(Call("note", {"label": name}),)).waits_at(12)
    first_time(team.model, name, half, Text(story(30)))
    tab = team.ask(f"plain {name}")
    tab.shows("word10")
    zombie = team.owner(tab)
    zombie.freeze()
    stopped = time.monotonic()
    team.model.release(name)
    took = sighting.took(tab.moved(stopped))
    assert tab.ended() == "completed"
    before = (team.sql(BY_ATTEMPT, tab.run_id), len(team.monitor.written[tab.run_id or ""]))
    time.sleep(max(0.0, 30 - (time.monotonic() - stopped)))
    mark = len(zombie.text)
    zombie.thaw()
    until(lambda: not zombie.alive or len(zombie.text) > mark, "a sign of life of the zombie")
    until(lambda: not zombie.alive or f'"{tab.run_id}"' in zombie.text[mark:], "the zombie's word on its run")
    after = (team.sql(BY_ATTEMPT, tab.run_id), len(team.monitor.written[tab.run_id or ""]))
    assert before == after
    assert team.ledger.calls(name) == []
    assert complaints(team, [tab]) == []
    zombie.kill()
    assert took <= 5.0
    sighting.seen("no row, no event, no tool of the zombie's")


@pytest.mark.row(10)
def test_a_worker_whose_loop_is_blocked_gives_one_answer(team: FaultHouse, sighting: Sighting) -> None:
    name, other = label("blocked"), label("bystander")
    team.model.answers_to(name, Call("block", {"label": name}), Text(story(10)))
    first_time(team.model, other, Text(story(20)).waits_at(5), Text(story(20)))
    tab = team.ask(f"plain {name}")
    owner = team.owner(tab)
    team.gates.reached(f"{name}.started")
    began = time.monotonic()
    assert tab.ended() == "completed"
    sighting.took(time.monotonic() - began)
    assert tab.text == story(10)
    assert len(team.ledger.calls(name)) == 1
    until(lambda: not owner.alive or time.monotonic() > began + 12, "the end of the blockade")
    assert complaints(team, [tab]) == []
    sighting.seen(f"one answer; the blocked process {'goes on' if owner.alive else 'was ended by its watchdog'}")


@pytest.mark.row(11)
@pytest.mark.timeout(120)
def test_a_message_that_kills_its_worker_three_times_fails_and_spares_the_others(
    team: FaultHouse, sighting: Sighting
) -> None:
    name, other = label("killer"), label("bystander")
    team.keep_workers(3)
    team.model.answers_to(name, Call("crash", {"label": name}), Text("never"))
    first_time(team.model, other, Text(story(20)).waits_at(5), Text(story(20)))
    bystanders = [team.ask(f"plain {other} {number}", user=f"user {number}") for number in range(3)]
    for tab in bystanders[:1]:
        tab.shows("word4")
    killer = team.ask(f"plain {name}")
    for times in (1, 2, 3):
        until(lambda times=times: len(team.ledger.calls(name)) >= times, f"crash {times}")
        team.keep_workers(2)
    assert killer.ended() == "failed"
    assert killer.of_type("error")
    assert team.run(killer)["crashes"] == 3
    with team.client(killer.user) as client:
        last_run = client.get(f"/api/conversations/{killer.thread_id}").json()["last_run"]
    assert last_run["status"] == "failed"
    team.model.release(other)
    assert [tab.ended() for tab in bystanders] == ["completed"] * 3
    assert len(team.ledger.calls(name)) == 3
    assert complaints(team, [killer, *bystanders]) == []
    sighting.seen("failed after three crashes, with an error; the others were answered")
