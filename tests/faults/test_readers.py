"""Readers that leave, come back, read slowly, or are many (rows 14 to 19)."""

import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.faults.checker import complaints, stored
from tests.faults.clients import Tab
from tests.faults.house import FaultHouse
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Text, story, tokens
from tests.faults.waiting import until
from tests.house import bearer


def half_told(team: FaultHouse, *, words: int = 40, at: int = 20) -> Tab:
    """A tab in mid-answer, the model waiting."""
    name = label("read")
    team.model.answers_to(name, Text(story(words)).waits_at(at))
    tab = team.ask(f"plain {name}")
    tab.shows(f"word{at - 2} ")
    return tab


@pytest.mark.row(14)
def test_a_closed_tab_frees_its_relay_and_the_run_goes_on(team: FaultHouse, sighting: Sighting) -> None:
    tab = half_told(team)
    channel = f"run:{{{tab.run_id}}}:live"
    assert team.redis.pubsub_numsub(channel)[0][1] == 1
    left = time.monotonic()
    tab.leave()
    until(lambda: team.redis.pubsub_numsub(channel)[0][1] == 0, "the end of the subscription")
    assert sighting.took(time.monotonic() - left) < 1.0
    team.model.release()
    until(lambda: team.run(tab)["status"] == "completed", "the run's end")
    later = team.follow(tab)
    assert later.ended() == "completed"
    assert later.text == story(40)
    assert complaints(team, [later]) == []
    sighting.seen("the run was completed and stored without a reader")


@pytest.mark.row(15)
def test_a_reload_shows_what_is_open_then_goes_on_live(team: FaultHouse, sighting: Sighting) -> None:
    first = half_told(team)
    began = time.monotonic()
    second = team.follow(first)
    second.shows("word18 ")
    sighting.took(time.monotonic() - began)
    assert second.fold().open_ids()
    team.model.release()
    assert (first.ended(), second.ended()) == ("completed", "completed")
    assert second.text == story(40)
    assert complaints(team, [first, second]) == []
    sighting.seen("the open text at once, then the rest, then done")


@pytest.mark.row(16)
def test_every_kind_of_cursor_gives_what_it_should(team: FaultHouse, sighting: Sighting) -> None:
    tab = half_told(team)
    ids = list(tab.ids)
    rest, live = team.follow(tab, after=ids[5]), team.follow(tab, after=ids[-1])
    team.model.release()
    for one in (tab, rest, live):
        assert one.ended() == "completed"
    whole = team.follow(tab)
    nothing = team.follow(tab, after=tab.ids[-1])
    assert (whole.ended(), nothing.ended()) == ("completed", "completed")
    assert whole.ids == tab.ids
    assert rest.ids == tab.ids[6:]
    assert live.ids == tab.ids[len(ids) :]
    assert nothing.ids == []
    with team.client() as client:
        for garbage in ("x", "1", "-1.2", "0.0", "1.2.3", "9" * 40):
            answer = client.get(f"/runs/{tab.run_id}/events", headers={"Last-Event-ID": garbage})
            assert answer.status_code == 400, garbage
            assert answer.json()["type"] == "bad-cursor"
    assert complaints(team, [tab, rest, live, whole]) == []
    sighting.seen("all; the rest; live only; nothing; 400")


@pytest.mark.row(16)
def test_a_cursor_of_an_older_generation_gives_a_snapshot_and_then_live(team: FaultHouse, sighting: Sighting) -> None:
    tab = half_told(team)
    old = tab.ids[-1]
    head, events, _ = (f"run:{{{tab.run_id}}}:{part}" for part in ("head", "events", "live"))
    team.redis.delete(head, events)
    team.model.release()
    assert tab.ended() == "completed"
    assert tab.ids[-1].startswith("2.")
    later = team.follow(tab, after=old)
    assert later.ended() == "completed"
    assert later.ids
    assert all(one.startswith("2.") for one in later.ids)
    assert later.ids[0] == "2.1"
    shown = {item["id"]: item for item in later.fold().items()}
    assert shown == stored(team, tab.run_id or "")
    assert complaints(team, [tab]) == []
    sighting.seen("a snapshot of the next generation, then live")


@pytest.mark.row(17)
def test_a_reader_that_comes_after_the_log_has_gone_is_given_what_is_stored(
    team: FaultHouse, sighting: Sighting
) -> None:
    tab = half_told(team)
    team.model.release()
    assert tab.ended() == "completed"
    head, events = (f"run:{{{tab.run_id}}}:{part}" for part in ("head", "events"))
    team.redis.pexpire(head, 1)
    team.redis.pexpire(events, 1)
    until(lambda: not team.redis.exists(head, events), "the log's expiry")
    for cursor in (None, tab.ids[4], tab.ids[-1]):
        later = team.follow(tab, after=cursor)
        assert later.ended() == "completed"
        assert {item["id"]: item for item in later.fold().items()} == stored(team, tab.run_id or "")
    sighting.seen("the stored messages as done events, and the end, from any cursor")


@pytest.mark.row(18)
@pytest.mark.timeout(90)
def test_a_reader_that_does_not_read_is_dropped_and_costs_no_memory(team: FaultHouse, sighting: Sighting) -> None:
    name = label("slow")
    team.model.answers_to(name, Text(story(120, "x" * 100_000)).waits_at(2))
    api = team.api(SEND_TIMEOUT="1")
    try:
        tab = team.ask(f"plain {name}", urls=[api.url])
        slow = [silent_reader(api.url, tab) for _ in range(3)]
        channel = f"run:{{{tab.run_id}}}:live"
        tokens(team.model, name, 2)
        memory = resident(api.pid)
        team.model.release(name)
        assert tab.ended() == "completed"
        most = resident(api.pid) - memory
        until(lambda: team.redis.pubsub_numsub(channel)[0][1] == 0, "the readers' end")
        for reader in slow:
            until(lambda reader=reader: is_over(reader), "the end of the connection")
        assert most < 100, f"{most} MB"
        assert complaints(team, [tab]) == []
        sighting.seen(
            f"12 MB sent to the one that reads; three that do not were dropped; {most:.0f} MB more in the API"
        )
    finally:
        api.stop()


@pytest.mark.row(19)
def test_five_tabs_on_one_run_show_the_same(team: FaultHouse, sighting: Sighting) -> None:
    tab = half_told(team)
    tabs = [tab, *(team.follow(tab) for _ in range(4))]
    team.model.release()
    assert {one.ended() for one in tabs} == {"completed"}
    assert len({tuple(one.ids) for one in tabs}) == 1
    assert {one.text for one in tabs} == {story(40)}
    assert complaints(team, tabs) == []
    sighting.seen("five times the same events")


def silent_reader(url: str, tab: Tab) -> socket.socket:
    """A connection that asks for the events and never reads one."""
    parts = urlsplit(url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((parts.hostname, parts.port))
    authorization = bearer(tab.user)["Authorization"]
    raw.sendall(f"GET /runs/{tab.run_id}/events HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n".encode())
    return raw


def is_over(raw: socket.socket) -> bool:
    """Whether the other side has ended the connection, once everything sent has been read."""
    raw.settimeout(0.2)
    try:
        while raw.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def resident(pid: int) -> float:
    """The process's memory, in MB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
