"""What the metrics say before a fault and after it: what happened, once, and nothing else."""

import re
from collections.abc import Mapping

import pytest

from tests.faults.checker import complaints
from tests.faults.house import HouseOf
from tests.faults.labels import label
from tests.faults.programs import Program
from tests.faults.report import Sighting
from tests.faults.scripts import Text, first_time, story
from tests.faults.waiting import until
from tests.numbers import Scrape, scrape

ALL_IS_WELL = re.compile(
    r"chatkit_(postgres_connections|slots|claims|first_|claim_wait|run_seconds|rings_total|tokens|model_call|loop_lag)"
)
"""What moves when nothing is wrong."""


def page(worker: Program) -> Scrape:
    """The worker's numbers now; its log says where they are to be read."""
    (line,) = (line for line in worker.text.splitlines() if '"metrics to be read"' in line)
    found = re.search(r'"port": (\d+)', line)
    assert found is not None
    return scrape(f"http://127.0.0.1:{found[1]}")


def told(before: Scrape, after: Scrape) -> Mapping[str, float]:
    """How much each number has moved, but for those that move every day."""
    moved = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: by for name, by in moved.items() if by and not ALL_IS_WELL.match(name)}


ONE_RECOVERY = {
    "chatkit_crashes_total": 1,
    "chatkit_recoveries_total": 1,
    'chatkit_attempts_ended_total{outcome="ended"}': 1,
    'chatkit_runs_ended_total{by="worker",kind="respond",status="completed"}': 1,
}


@pytest.mark.row(1)
def test_a_kill_in_mid_sentence_shows_as_one_crash_and_one_recovery(house_of: HouseOf, sighting: Sighting) -> None:
    with house_of(workers=2, METRICS_PORT="0") as house:
        name = label("counted")
        first_time(house.model, name, Text(story(40)).waits_at(12), Text(story(40)))
        tab = house.ask(f"plain {name}")
        tab.shows("word10")
        killed = house.owner(tab)
        (survivor,) = house.others(killed)
        before, api_before = page(survivor), scrape(house.urls[0])
        killed.kill()
        assert tab.ended() == "completed"
        until(lambda: told(before, page(survivor)) == ONE_RECOVERY, lambda: str(told(before, page(survivor))))
        told_by_api = told(api_before, scrape(house.urls[0]))
        assert told_by_api['chatkit_streams_ended_total{reason="end"}'] == 1
        assert not [name for name in told_by_api if "away" in name or "lost" in name or "refusals" in name]
        assert complaints(house, [tab]) == []
    sighting.seen("in the survivor's metrics: one crash, one recovery, one run completed, nothing else")


@pytest.mark.row(9)
def test_a_worker_that_wakes_and_does_not_stand_down_is_seen_to_be_fenced(
    house_of: HouseOf, sighting: Sighting
) -> None:
    with house_of(workers=0, METRICS_PORT="0") as house:
        zombie = house.worker(module="tests.faults.broken_worker", ARGUMENTS="--without care")
        name = label("fenced")
        first_time(house.model, name, Text(story(40)).waits_at(12), Text(story(40)))
        tab = house.ask(f"plain {name}")
        tab.shows("word10")
        zombie_before = page(zombie)
        zombie.freeze()
        house.model.release(name)
        survivor = house.worker()
        before = page(survivor)
        assert tab.ended() == "completed"
        until(lambda: told(before, page(survivor)) == ONE_RECOVERY, lambda: str(told(before, page(survivor))))
        zombie.thaw()
        refused = {
            'chatkit_fenced_writes_total{at="log"}': 1,
            'chatkit_fenced_writes_total{at="postgres"}': 1,
            'chatkit_attempts_ended_total{outcome="superseded"}': 1,
        }
        until(lambda: told(zombie_before, page(zombie)) == refused, lambda: str(told(zombie_before, page(zombie))))
        assert complaints(house, [tab]) == []
    sighting.seen("in the zombie's metrics, where it does not stand down: refused by the log and by Postgres")
