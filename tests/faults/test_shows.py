"""Many of the same: kills in mid-sentence, random disconnects, two unmodified servers (rows 35, 36, 38)."""

import itertools
import time

import pytest

from tests.faults.checker import complaints, stored
from tests.faults.clients import Tab, cuts
from tests.faults.house import FaultHouse
from tests.faults.labels import label
from tests.faults.programs import ready
from tests.faults.report import Sighting, percentile
from tests.faults.scripts import Call, Calls, Text, first_time, story
from tests.faults.waiting import until

KILLS = 20


@pytest.mark.row(35)
@pytest.mark.timeout(400)
def test_twenty_kills_in_mid_sentence_are_twenty_whole_answers(team: FaultHouse, sighting: Sighting) -> None:
    tabs: list[Tab] = []
    kinds = itertools.cycle(["plain", "handoff", "nested", "mcp"])
    for kind in itertools.islice(kinds, KILLS):
        name = label("sentence")
        script(team, kind, name)
        spare = team.begin_worker()
        tab = team.ask(f"{kind} {name}", user=name)
        tab.shows("word10 ")
        ready(spare)
        team.owner(tab).kill()
        sighting.took(tab.moved(time.monotonic()))
        assert tab.ended() == "completed", kind
        assert tab.text == story(30), kind
        tabs.append(tab)
    assert complaints(team, tabs) == []
    assert percentile(sighting.seconds, 0.95) <= 5.0
    sighting.seen(f"{len(tabs)} kills with parallel tools, handoffs, agents as tools and MCP tools before the text")


def script(team: FaultHouse, kind: str, name: str) -> None:
    """Tools first, in the kind's own way; then a text that waits in the middle, the first time."""
    tool = "file" if kind == "mcp" else "note"
    both = Calls(Call(tool, {"label": f"{name}a"}), Call(tool, {"label": f"{name}b"}))
    before = {
        "plain": [both],
        "mcp": [both],
        "handoff": [Call("transfer_to_clerk"), both],
        "nested": [Calls(Call("ask_clerk", {"input": f"inner of {name}"}), Call("put", {"label": f"{name}c"}))],
    }[kind]
    team.model.answers_to(f"inner of {name}", both, Text("the clerk is done"))
    told: list[int] = []

    def choose(request):  # noqa: ANN001, ANN202
        if f"{kind} {name}" not in request.user:
            return None
        if request.step < len(before):
            return before[request.step]
        told.append(request.step)
        return Text(story(30)).waits_at(12) if len(told) == 1 else Text(story(30))

    team.model.answers(choose)


@pytest.mark.row(36)
@pytest.mark.timeout(200)
def test_a_thousand_random_disconnects_leave_no_gap_and_no_duplicate(team: FaultHouse, sighting: Sighting) -> None:
    name = label("cut")
    team.model.answers(lambda request: Text(story(300)).paced(0.02) if name in request.user else None)
    tabs = [
        team.ask(f"plain {name} {n}", user=f"{name}{n}", key=f"{name}{n}", cut_after=cuts(n, most=24)) for n in range(4)
    ]
    tabs += [
        team.follow(tab, cut_after=cuts(10 * n + m, most=24)) for n, tab in enumerate(list(tabs)) for m in range(4)
    ]
    assert {tab.ended(seconds=120) for tab in tabs} == {"completed"}
    for extra in itertools.count(1000):
        if sum(tab.connections - 1 for tab in tabs) >= 1000:
            break
        tabs.append(team.follow(tabs[0], cut_after=cuts(extra, most=24)))
        assert tabs[-1].ended() == "completed"
    assert {tab.text for tab in tabs} == {story(300)}
    assert len({tuple(tab.ids) for tab in tabs if tab.run_id == tabs[0].run_id}) == 1
    assert complaints(team, tabs) == []
    sighting.seen(f"{sum(tab.connections - 1 for tab in tabs)} disconnects of {len(tabs)} readers")


@pytest.mark.row(38)
@pytest.mark.parametrize("fate", ["kill", "stop"])
def test_a_server_with_widgets_under_kill_and_stop(team: FaultHouse, sighting: Sighting, fate: str) -> None:
    name = label("widget")
    first_time(team.model, name, Text(story(30)).waits_at(12), Text(story(30)))
    tab = team.ask(f"widget {name}")
    tab.shows("word10")
    strike(team, tab, fate)
    kinds = [item["type"] for item in stored(team, tab.run_id or "").values()]
    assert sorted(kinds) == ["assistant_message", "user_message", "widget"]
    assert complaints(team, [tab]) == []
    sighting.seen(f"widgets, {fate}: one widget, one text, as stored")


@pytest.mark.row(38)
@pytest.mark.parametrize("fate", ["kill", "stop"])
def test_a_server_with_client_tools_under_kill_and_stop(team: FaultHouse, sighting: Sighting, fate: str) -> None:
    name = label("browser")
    ask = Call("ask_the_browser", {"label": f"{name}b"})
    team.model.answers_to(f"browser {name}", Call("put", {"label": name}), ask, Text("never"))
    team.model.answers_to("browser said", Text("thanks"))
    team.gates.arm(f"{name}.before")
    tab = team.ask(f"browser {name}")
    team.gates.reached(f"{name}.before")
    strike(team, tab, fate, lambda: team.gates.open(f"{name}.before"))
    pending = [item for item in stored(team, tab.run_id or "").values() if item["type"] == "client_tool_call"]
    assert len(pending) == (1 if fate == "kill" else 0)
    assert complaints(team, [tab]) == []
    if fate == "kill":
        output = {"thread_id": tab.thread_id, "result": {"ok": True}}
        body = {"type": "threads.add_client_tool_output", "params": output}
        answer = Tab(team.urls, tab.user, body=body).start().admitted()
        assert answer.ended() == "completed"
        assert answer.text == "thanks"
    sighting.seen(f"client tools, {fate}: {len(pending)} call shown, as stored")


def strike(team: FaultHouse, tab: Tab, fate: str, then=lambda: None) -> None:  # noqa: ANN001
    """The kill of its worker or a Stop; then the run's end."""
    if fate == "kill":
        team.owner(tab).kill()
        then()
        assert tab.ended() == "completed"
    else:
        assert team.cancel(tab, api=1).status_code == 202
        assert tab.ended() == "cancelled"
        then()
    until(lambda: tab.status, "the end")
