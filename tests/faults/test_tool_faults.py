"""Tools that misbehave, tools that take long, and journals that were written by somebody else (rows 26, 32, 34)."""

import json
import time
from itertools import pairwise

import pytest

from tests.faults.checker import complaints
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Text, asked, story, tool_results


@pytest.mark.row(26)
@pytest.mark.parametrize("tool", ["raises", "huge", "unstorable"])
def test_a_tool_that_misbehaves_ends_its_run_and_spares_its_worker(
    team: FaultHouse, sighting: Sighting, tool: str
) -> None:
    name = label(tool)
    team.model.answers_to(name, Call(tool, {"label": name}), Text(story(5)))
    workers = team.living_workers()
    tab = team.ask(f"plain {name}")
    ended = tab.ended()
    assert ended == ("failed" if tool == "raises" else "completed")
    assert f"the tool's own words about {name}" not in " ".join(str(seen.frame.data) for seen in tab.seen)
    assert all(worker.alive for worker in workers)
    assert complaints(team, [tab]) == []
    after = team.ask("plain afterwards")
    assert after.ended() == "completed"
    sighting.seen(f"{tool}: {ended}; its worker lives")


@pytest.mark.row(26)
@pytest.mark.timeout(90)
@pytest.mark.parametrize("tool", ["hangs", "stubborn", "sleepy"])
def test_a_tool_that_does_not_come_back_is_ended_by_the_deadline(
    team: FaultHouse, sighting: Sighting, tool: str
) -> None:
    name = label(tool)
    team.model.answers_to(name, Call(tool, {"label": name}), Text(story(5)))
    team.gates.arm(f"{name}.before")
    api = team.api(RUN_DEADLINE="3")
    try:
        workers = team.living_workers()
        began = time.monotonic()
        tab = team.ask(f"plain {name}", urls=[api.url])
        assert tab.ended(seconds=33) == "failed"
        took = sighting.took(time.monotonic() - began)
        assert took <= 3 + 30
        assert tab.of_type("error")
        assert all(worker.alive for worker in workers)
        assert complaints(team, [tab]) == []
        sighting.seen(f"{tool}: failed {took - 3:.1f} s after its deadline; its worker lives")
    finally:
        team.gates.open(f"{name}.before")
        api.stop()


@pytest.mark.row(34)
@pytest.mark.timeout(120)
def test_a_long_silent_tool_keeps_stream_lease_and_log_alive(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=2, PING_INTERVAL="0.5", LOG_TAIL="2") as house:
        house.model.answers_to("long", Call("long_one", {"label": "long"}), Text(story(10)))
        house.gates.arm("long.before")
        tab = house.ask("plain long")
        house.gates.reached("long.before")
        cursor, head = tab.ids[-1], f"run:{{{tab.run_id}}}:head"
        began = time.monotonic()
        while time.monotonic() < began + 15:
            assert house.sql("SELECT lease_until > clock_timestamp() FROM runs WHERE id = %s", tab.run_id) == [(True,)]
            assert house.redis.ttl(head) > 60
            time.sleep(0.5)
        heard = [began, *(seen.at for seen in tab.seen if seen.at > began), time.monotonic()]
        silence = max(after - before for before, after in pairwise(heard))
        back = house.follow(tab, after=cursor)
        house.gates.open("long.before")
        assert (tab.ended(), back.ended()) == ("completed", "completed")
        assert silence <= 3.0
        assert back.ids == tab.ids[tab.ids.index(cursor) + 1 :]
        assert house.run(tab)["attempt"] == 1
        assert len(house.ledger.calls("long")) == 1
        assert complaints(house, [tab, back]) == []
        sighting.seen(f"15 s at a lease of 4 s: silent for {silence:.1f} s at most, one attempt, the cursor good")


@pytest.mark.row(32)
@pytest.mark.timeout(90)
def test_under_another_prompt_the_journal_is_not_mixed_in(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=1) as house:
        house.model.answers_to("prompt", Call("put", {"label": "prompt"}), Text(story(10)))
        house.gates.arm("prompt.after")
        tab = house.ask("plain prompt")
        house.gates.reached("prompt.after")
        house.begin_worker(TEAM_PROMPT="Be curt.")
        house.owner(tab).kill()
        killed = time.monotonic()
        house.gates.open("prompt.after")
        assert tab.ended() == "failed"
        sighting.took(time.monotonic() - killed)
        assert [one.frame.data["allow_retry"] for one in tab.of_type("error")] == [True]
        assert tab.text == ""
        assert house.run(tab)["crashes"] <= 1
        assert complaints(house, [tab]) == []
        sighting.seen("another prompt: failed with retry, nothing mixed")


@pytest.mark.row(32)
@pytest.mark.timeout(90)
@pytest.mark.parametrize("state", ["as it is", "with fields of tomorrow", "not readable"])
def test_a_journal_of_another_release_is_read_or_fails_the_run(
    house_of: HouseOf, sighting: Sighting, state: str
) -> None:
    with house_of(workers=1) as house:
        house.model.answers_to("release", Call("put", {"label": "release"}), Text(story(10)))
        house.gates.arm("release.after")
        tab = house.ask("plain release")
        house.gates.reached("release.after")
        house.owner(tab).kill()
        ((response,),) = house.sql("SELECT response FROM run_steps WHERE run_id = %s", tab.run_id)
        changed = {"as it is": response, "with fields of tomorrow": {**response, "unheard_of": 1}}.get(state, {"v": 9})
        house.sql("UPDATE run_steps SET response = %s WHERE run_id = %s", json.dumps(changed), tab.run_id)
        house.gates.open("release.after")
        house.worker()
        ended = tab.ended()
        assert ended == ("failed" if state == "not readable" else "completed")
        assert tab.text in ("", story(10))
        assert house.run(tab)["attempt"] <= 3
        assert len(house.ledger.effects("release")) == 1
        assert complaints(house, [tab]) == []
        told = tool_results(asked(house.model, "release")[-1])
        sighting.seen(f"a journal {state}: {ended}, {len(told)} tool result for the model")
