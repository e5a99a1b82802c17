"""Random faults by a seed, on a house in use: short in the suite, long by `make chaos SEED=… MINUTES=…` (row 39)."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.checker import complaints
from tests.faults.clients import Tab, asking, cuts
from tests.faults.house import FaultHouse, HouseOf
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Calls, Text, story
from tests.faults.waiting import until
from tests.faults.witness import Witness
from tests.model_endpoint import Endpoint, Received, Scripted

PEOPLE = 8
KINDS = ("plain", "handoff", "nested", "mcp")


@pytest.mark.row(39)
@pytest.mark.timeout(0)
def test_random_faults_break_no_promise(request: pytest.FixtureRequest, house_of: HouseOf, sighting: Sighting) -> None:
    seed, minutes = request.config.getoption("seed"), request.config.getoption("minutes")
    chance = random.Random(seed)
    with house_of(workers=3, apis=2, linked=True) as house:
        script(house.model)
        stop, began = threading.Event(), time.monotonic()
        people = [Person(house, random.Random(f"{seed} {number}"), number, stop) for number in range(PEOPLE)]
        for person in people:
            person.start()
        struck: list[tuple[str, float]] = []
        while time.monotonic() < began + 60 * minutes:
            fault = chance.choice(FAULTS)
            struck.append((fault.__name__, time.monotonic() - began))
            fault(house, chance)
            time.sleep(chance.uniform(0.2, 2.0))
        heal(house)
        stop.set()
        for person in people:
            person.join(90)
        tabs = [tab for person in people for tab in person.tabs]
        found = [said for person in people for said in person.witness.complaints]
        found += complaints(house, tabs)
        found += odd_ends(house, tabs)
        told = written_down(house.directory / "complaints.txt", found, struck)
        assert found == [], f"seed {seed}: {told}"
        counts = ", ".join(f"{count} × {name}" for name, count in sorted(Counter(name for name, _ in struck).items()))
        sighting.seen(f"seed {seed}, {minutes} minutes: {len(tabs)} messages; {counts.replace('_', ' ')}")


class Person(threading.Thread):
    """Somebody who talks, opens tabs, loses the line, and now and then presses Stop."""

    def __init__(self, house: FaultHouse, chance: random.Random, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True, name=f"person {number}")
        self.house, self.chance, self.user = house, chance, f"person {number}"
        self.tabs: list[Tab] = []
        self.witness = Witness(house)
        self._over = stop

    def run(self) -> None:
        thread_id = None
        while not self._over.is_set():
            name = label("chaos")
            options = {"key": name, "cut_after": cuts(self.chance.randrange(10**6), most=120), "on_frame": self.witness}
            text = f"{self.chance.choice(KINDS)} {name}"
            tab = Tab(lambda: self.house.urls, self.user, body=asking(text, thread_id), **options).start()
            self.tabs.append(tab)
            with suppress(AssertionError):
                self._read(tab)
                thread_id = tab.thread_id if self.chance.random() < 0.7 else None

    def _read(self, tab: Tab) -> None:
        until(lambda: tab.run_id or tab.refusals, "an answer", seconds=60)
        if tab.run_id is None:
            return
        if self.chance.random() < 0.3:
            self.tabs.append(self.house.follow(tab))
        if self.chance.random() < 0.2:
            time.sleep(self.chance.uniform(0, 1.5))
            with suppress(Exception):
                self.house.cancel(tab)
        tab.ended(seconds=120)


def script(model: Endpoint) -> None:
    """Two tools in the kind's own way, then a text of about a second."""

    def choose(request: Received) -> Scripted | None:
        kind, name = request.user.split()[:2]
        tool = "file" if kind == "mcp" else "note"
        both = Calls(Call(tool, {"label": f"{name}a"}), Call(tool, {"label": f"{name}b"}))
        steps: dict[str, list[Scripted]] = {
            "plain": [both],
            "mcp": [both],
            "handoff": [Call("transfer_to_clerk"), both],
            "nested": [Call("ask_clerk", {"input": f"clerk {name}"})],
            "clerk": [both],
        }
        before = steps[kind]
        return before[request.step] if request.step < len(before) else Text(story(25)).paced(0.04)

    model.answers(choose)


def kill_a_worker(house: FaultHouse, chance: random.Random) -> None:
    chance.choice(house.living_workers()).kill()
    house.begin_worker(linked=True)
    until(lambda: len(ready_workers(house)) >= 2, "two workers")


def stop_a_worker(house: FaultHouse, chance: random.Random) -> None:
    house.begin_worker(linked=True)
    until(lambda: len(ready_workers(house)) >= 3, "three workers")
    threading.Thread(target=chance.choice(ready_workers(house)).stop, daemon=True).start()


def freeze_a_worker(house: FaultHouse, chance: random.Random) -> None:
    worker = chance.choice(house.living_workers())
    worker.freeze()
    threading.Timer(chance.uniform(1, 8), worker.thaw).start()
    house.begin_worker(linked=True)


def cut_a_link(house: FaultHouse, chance: random.Random) -> None:
    program = chance.choice([*house.living_workers(), *(api for api in house.apis if api.alive)])
    proxy = chance.choice(list(program.links.values()))
    if chance.random() < 0.5:
        proxy.reset()
        return
    proxy.freeze()
    threading.Timer(chance.uniform(0.5, 6), proxy.thaw).start()


def kill_subscriptions(house: FaultHouse, chance: random.Random) -> None:
    house.redis.client_kill_filter(_type="pubsub")


def wipe_redis(house: FaultHouse, chance: random.Random) -> None:
    house.redis.flushdb()


def restart_an_api(house: FaultHouse, chance: random.Random) -> None:
    house.api(linked=True)
    old = next(api for api in house.apis if api.alive)
    threading.Thread(target=old.stop if chance.random() < 0.5 else old.kill, daemon=True).start()


Fault = Callable[[FaultHouse, random.Random], None]
FAULTS: list[Fault] = [
    kill_a_worker,
    stop_a_worker,
    freeze_a_worker,
    cut_a_link,
    cut_a_link,
    kill_subscriptions,
    wipe_redis,
    restart_an_api,
]


def ready_workers(house: FaultHouse) -> list:
    return [worker for worker in house.living_workers() if "worker ready" in worker.text]


def heal(house: FaultHouse) -> None:
    """Everything works again, and there is somebody to work."""
    for program in (*house.workers, *house.apis):
        program.thaw()
        for proxy in program.links.values():
            proxy.thaw()
    house.worker(linked=True)


def written_down(path: Path, found: list[str], struck: list[tuple[str, float]]) -> str:
    """Every complaint and every fault in a file, counted by kind; where it is, and the kinds."""
    kinds = Counter(re.sub(r"\S*\d\S*|\{.*", "…", one) for one in found)
    counted = [f"{count} × {kind}" for kind, count in kinds.most_common()]
    faults = [f"{at:7.2f} s {name}" for name, at in struck]
    path.write_text("\n".join([*counted, "", *found, "", *faults, ""]))
    return "; ".join([str(path), *counted])


def odd_ends(house: FaultHouse, tabs: list[Tab]) -> list[str]:
    """Runs that failed without having crashed three times, and tabs that were told no end."""
    query = "SELECT id, status, crashes, error FROM runs WHERE status = 'failed' AND crashes < 3"
    found = [
        f"{run_id} {status} after {crashes} crashes: {error}" for run_id, status, crashes, error in house.sql(query)
    ]
    return found + [f"{tab.user}'s tab on {tab.run_id} never ended" for tab in tabs if tab.run_id and not tab.status]
