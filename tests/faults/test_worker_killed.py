"""SIGKILL of a worker, at each point where it hurts (rows 1 to 7, 33)."""

import time

import pytest

from tests.faults.checker import complaints, stored
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Calls, Text, asked, first_time, story, tokens, tool_results
from tests.faults.waiting import until

STEPS = "SELECT count(*) FROM run_steps WHERE run_id = %s"
FINISHED = "SELECT count(*) FROM tool_calls WHERE run_id = %s AND outcome IS NOT NULL"
ANSWERS = "SELECT count(*) FROM messages WHERE run_id = %s AND type = 'assistant_message'"


@pytest.mark.row(1)
def test_a_worker_killed_in_mid_sentence_is_replaced_and_nothing_is_said_twice(
    team: FaultHouse, sighting: Sighting
) -> None:
    first_time(team.model, "mid-delta", Text(story(40)).waits_at(12), Text(story(40)))
    tab = team.ask("plain mid-delta")
    tab.shows("word10")
    team.owner(tab).kill()
    took = sighting.took(tab.moved(time.monotonic()))
    assert tab.ended() == "completed"
    assert took <= 5.0
    assert tab.text == story(40)
    assert complaints(team, [tab]) == []
    sighting.seen(f"moved again after {took:.1f} s; one answer, as stored")


@pytest.mark.row(2)
def test_a_response_that_is_journaled_is_not_asked_for_again(team: FaultHouse, sighting: Sighting) -> None:
    name = label("journaled")
    team.model.answers_to(name, Call("note", {"label": name}), Text("noted it"))
    with team.locked("tool_calls") as waiting:
        tab = team.ask(f"plain {name}")
        until(lambda: team.sql(STEPS, tab.run_id) == [(1,)] and waiting(), "the response in the journal")
        team.owner(tab).kill()
        killed = time.monotonic()
        team.drop_waiting("tool_calls")
    assert tab.ended() == "completed"
    sighting.took(tab.moved(killed))
    assert len(asked(team.model, name)) == 2
    assert len(team.ledger.calls(name)) == len(team.ledger.effects(name)) == 1
    assert complaints(team, [tab]) == []
    sighting.seen("the tool ran once, in the second attempt; two model calls in all")


@pytest.mark.row(3)
def test_a_keyed_tool_is_called_again_under_the_same_key(team: FaultHouse, sighting: Sighting) -> None:
    name = label("keyed")
    team.model.answers_to(name, Call("pay", {"label": name}), Text("paid it"))
    team.gates.arm(f"{name}.after")
    tab = team.ask(f"plain {name}")
    team.gates.reached(f"{name}.after")
    team.owner(tab).kill()
    killed = time.monotonic()
    team.gates.open(f"{name}.after")
    assert tab.ended() == "completed"
    sighting.took(tab.moved(killed))
    calls = team.ledger.calls(name)
    assert len(calls) == 2
    assert calls[0].key == calls[1].key
    assert len(team.ledger.effects(name)) == 1
    assert complaints(team, [tab]) == []
    sighting.seen("two calls, one key, one effect")


@pytest.mark.row(4)
@pytest.mark.parametrize("after", ["before", "after"])
def test_a_tool_that_is_not_repeatable_is_not_called_again(team: FaultHouse, sighting: Sighting, after: str) -> None:
    name = label("unrepeatable")
    team.model.answers_to(name, Call("note", {"label": name}), Text("cannot say"))
    team.gates.arm(f"{name}.{after}")
    tab = team.ask(f"plain {name}")
    team.gates.reached(f"{name}.{after}")
    team.owner(tab).kill()
    killed = time.monotonic()
    team.gates.open(f"{name}.{after}")
    assert tab.ended() == "completed"
    sighting.took(tab.moved(killed))
    assert len(team.ledger.calls(name)) == 1
    told = tool_results(asked(team.model, name)[-1])
    assert len(told) == 1
    assert "unknown" in told[0]
    assert complaints(team, [tab]) == []
    sighting.seen("one call; the model was told that the outcome is unknown")


@pytest.mark.row(5)
@pytest.mark.parametrize("kind", ["plain", "nested", "handoff", "mcp"])
def test_of_two_parallel_tools_the_finished_one_is_not_run_again(
    team: FaultHouse, sighting: Sighting, kind: str
) -> None:
    done, cut = label("done"), label("cut")
    tool, other = ("file", "file") if kind == "mcp" else ("note", "put")
    both = Calls(Call(tool, {"label": done}), Call(other, {"label": cut}))
    first = {"handoff": Call("transfer_to_clerk"), "nested": Call("ask_clerk", {"input": f"do {done}"})}.get(kind)
    inner = f"do {done}" if kind == "nested" else f"{kind} {done}"
    team.model.answers_to(inner, *([first] if kind == "handoff" else []), both, Text("both done"))
    if kind == "nested":
        team.model.answers_to(f"nested {done}", first or both, Text("the clerk did both"))
    team.gates.arm(f"{cut}.before")
    tab = team.ask(f"{kind} {done}")
    team.gates.reached(f"{cut}.before")
    until(lambda: team.sql(FINISHED, tab.run_id) >= [(1,)], "the first tool's result in the journal")
    team.owner(tab).kill()
    killed = time.monotonic()
    team.gates.open(f"{cut}.before")
    assert tab.ended() == "completed"
    sighting.took(tab.moved(killed))
    assert len(team.ledger.calls(done)) == 1
    assert len(team.ledger.calls(cut)) == (1 if kind == "mcp" else 2)
    assert complaints(team, [tab]) == []
    sighting.seen(f"{kind}: the finished one was run once")


@pytest.mark.row(6)
def test_a_message_committed_and_not_published_is_shown_as_it_is_stored(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=2, linked=True) as house:
        house.model.answers_to("unpublished", Text(story(20)).waits_at(15))
        tab = house.ask("plain unpublished")
        tab.shows("word10")
        owner = house.owner(tab)
        owner.links["redis"].freeze()
        with house.locked("turns"), house.locked("run_steps") as waiting:
            house.model.release("unpublished")
            until(waiting, "the answer at the journal's door")
            row = house.sql(ANSWERS, tab.run_id)
        assert row == [(0,)]
        until(lambda: house.sql(ANSWERS, tab.run_id) == [(1,)], "the answer's commit")
        owner.kill()
        killed = time.monotonic()
        assert tab.ended() == "completed"
        sighting.took(time.monotonic() - killed)
        assert tab.text == story(20)
        assert complaints(house, [tab]) == []
        sighting.seen("the tab ended with the text that is stored, once")


@pytest.mark.row(7)
def test_a_run_that_ended_without_its_logs_end_ends_every_stream(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=2, apis=2, linked=True) as house:
        house.model.answers_to("endless", Text(story(20)).waits_at(15))
        tabs = [house.ask("plain endless")]
        tabs += [house.follow(tabs[0]) for _ in range(4)]
        for tab in tabs:
            tab.shows("word10")
        owner = house.owner(tabs[0])
        owner.links["redis"].freeze()
        house.model.release("endless")
        until(lambda: house.run(tabs[0])["status"] == "completed", "the record's end")
        owner.kill()
        killed = time.monotonic()
        for tab in tabs:
            assert tab.ended() == "completed"
            assert sighting.took(time.monotonic() - killed) <= 2.0
        assert complaints(house, tabs) == []
        sighting.seen("five streams ended from the record")


@pytest.mark.row(33)
def test_nothing_is_stored_or_shown_as_done_before_it_is_journaled(team: FaultHouse, sighting: Sighting) -> None:
    name = label("undone")
    first_time(team.model, name, Text(story(10)), Text(story(10, "other")))
    with team.locked("run_steps") as waiting:
        tab = team.ask(f"plain {name}")
        tokens(team.model, name, 10)
        until(waiting, "the response at the journal's door")
        assert team.sql(ANSWERS, tab.run_id) == [(0,)]
        done = [seen for seen in tab.of_type("thread.item.done") if seen.frame.data["item"]["type"] != "user_message"]
        assert done == []
        team.owner(tab).kill()
        killed = time.monotonic()
        team.drop_waiting("run_steps")
    assert tab.ended() == "completed"
    sighting.took(tab.moved(killed))
    assert tab.text == story(10, "other")
    assert stored(team, tab.run_id or "")
    assert complaints(team, [tab]) == []
    sighting.seen("the kill found nothing stored and nothing shown as done")
