"""What must hold once everything has healed, whatever was done: each broken promise is one complaint.

`complaints(house, tabs)` compares what each tab was shown with what is stored, the runs' ends, the effect
ledger, the order of attempts in Redis, each tab's sequence, and looks for what was left over.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from shared.messages import HIDDEN_TYPES, visible
from shared.records import RECORD_SEPARATOR, Event, decode
from tests.faults.clients import Tab
from tests.faults.house import FaultHouse
from tests.faults.waiting import until

ENDED = ("completed", "failed", "cancelled")

_LEFT = """
SELECT count(*) FROM runs WHERE status NOT IN ('queued', 'running') AND (owner IS NOT NULL OR lease_until IS NOT NULL)
"""
_IDLE = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND (state LIKE 'idle in transaction%%' OR (state = 'active' AND query_start < clock_timestamp() - interval '5 s'))
"""
_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

SESSIONS_PER_PROCESS = 13
LEFT_SECONDS = 25.0
"""A ring that a killed worker had taken stays in the queue for 20 s, until another worker may take it and see."""


def complaints(house: FaultHouse, tabs: Iterable[Tab], *, labels: str = "%") -> list[str]:
    """Everything that is wrong; waits for the runs' ends first."""
    tabs = list(tabs)
    run_ids = list(dict.fromkeys(tab.run_id for tab in tabs if tab.run_id))
    return [
        *unended(house, run_ids),
        *(said for tab in tabs for said in shown_otherwise(house, tab)),
        *(f"the effect {label} was made twice" for label in house.ledger.doubled(labels)),
        *(said for run_id in run_ids for said in house.monitor.out_of_order(run_id)),
        *(said for tab in tabs for said in wrong_sequence(house, tab)),
        *left_over(house, run_ids),
    ]


def unended(house: FaultHouse, run_ids: Sequence[str]) -> list[str]:
    """Runs without a terminal status once there was time enough for one."""
    query = "SELECT id, status FROM runs WHERE id = ANY(%s)"
    try:
        until(lambda: all(status in ENDED for _, status in house.sql(query, list(run_ids))), "the runs' ends")
    except AssertionError:
        return [f"{run_id} is {status}" for run_id, status in house.sql(query, list(run_ids)) if status not in ENDED]
    return []


def stored(house: FaultHouse, run_id: str) -> dict[str, Any]:
    """The run's visible messages by their ids."""
    query = "SELECT id, item FROM messages WHERE run_id = %s AND type <> ALL(%s) ORDER BY position"
    return {item_id: visible(item) for item_id, item in house.sql(query, run_id, list(HIDDEN_TYPES))}


def shown_otherwise(house: FaultHouse, tab: Tab) -> list[str]:
    """Where a tab that saw its run from the beginning to the end shows something else than is stored (P2)."""
    if tab.run_id is None or tab.status is None or tab.first_cursor:
        return []
    fold, there = tab.fold(), stored(house, tab.run_id)
    shown = {item["id"]: item for item in fold.items()}
    who = f"{tab.user}'s tab on {tab.run_id}"
    found = [f"{who} shows {item_id} still open" for item_id in fold.open_ids()]
    found += [f"{who} shows {_brief(shown[one])}, which is not stored" for one in shown.keys() - there.keys()]
    found += [f"{who} does not show {_brief(there[one])}" for one in there.keys() - shown.keys()]
    found += [
        f"{who} shows {_brief(shown[one])}, but stored is {_brief(there[one])}"
        for one in shown.keys() & there.keys()
        if shown[one] != there[one]
    ]
    status = house.sql("SELECT status FROM runs WHERE id = %s", tab.run_id)
    if status and status[0][0] != tab.status:
        found.append(f"{who} was told {tab.status}, but the run is {status[0][0]}")
    return found


def wrong_sequence(house: FaultHouse, tab: Tab) -> list[str]:
    """Duplicates and steps back in what a tab was given; in the log's last life also gaps, by the log itself."""
    who = f"{tab.user}'s tab on {tab.run_id}"
    places = [(int(generation), int(sequence)) for generation, _, sequence in (one.partition(".") for one in tab.ids)]
    found = [f"{who} was given {one} {n} times" for one, n in Counter(tab.ids).items() if n > 1]
    found += [f"{who} was given {after} after {before}" for before, after in pairwise(places) if after < before]
    if tab.run_id is None or tab.status is None or not places or tab.ended_from_the_record:
        return found
    generation, expected = _logged(house, tab.run_id)
    first = _first_after(tab, generation)
    got = {sequence for life, sequence in places if life == generation}
    missing = [sequence for sequence in expected if sequence >= first and sequence not in got]
    if got and missing:
        found.append(f"{who} was never given {missing} of generation {generation}")
    return found


def left_over(house: FaultHouse, run_ids: Sequence[str]) -> list[str]:
    """Leases, keys without expiry, subscriptions, sessions: what should be gone a moment after the last stream."""
    looks = {
        "an ended run holds a lease": lambda: house.sql(_LEFT)[0][0],
        "a Redis key has no expiry": lambda: lasting_keys(house),
        "a channel has subscribers": lambda: _subscribed(house, run_ids),
        "a session is stuck in Postgres": lambda: house.sql(_IDLE)[0][0],
        "Postgres has too many sessions": lambda: _sessions_too_many(house),
    }
    found = []
    for what, look in looks.items():
        try:
            until(lambda look=look: not look(), what, seconds=LEFT_SECONDS)
        except AssertionError:
            found.append(f"{what}: {look()}")
    return found


def lasting_keys(house: FaultHouse) -> list[bytes]:
    """Keys that would be there for ever, and should not."""
    return [key for key in house.redis.scan_iter() if house.redis.ttl(key) == -1]


def _first_after(tab: Tab, generation: int) -> int:
    life, _, sequence = (tab.first_cursor or "").partition(".")
    return int(sequence) + 1 if life == str(generation) else 1


def _logged(house: FaultHouse, run_id: str) -> tuple[int, list[int]]:
    """The log's generation, and the sequences of its records that a ChatKit reader is given."""
    head = house.redis.hget(f"run:{{{run_id}}}:head", "generation")
    if head is None:
        return 0, []
    rows = house.redis.xrange(f"run:{{{run_id}}}:events")
    # An entry holds the records of one append; its key is the sequence of the last of them.
    batches = [(int(key.split(b"-")[0]), entry[b"r"].split(RECORD_SEPARATOR)) for key, entry in rows]
    numbered = [pair for last, records in batches for pair in enumerate(records, last + 1 - len(records))]
    return int(head), [sequence for sequence, record in numbered if _is_told(record)]


def _is_told(data: bytes) -> bool:
    if data[:1] in (b"d", b"D"):
        return True
    record = decode(data)
    return isinstance(record, Event) and bool(record.chatkit)


def _subscribed(house: FaultHouse, run_ids: Sequence[str]) -> list[bytes]:
    channels = set(house.redis.pubsub_channels("run:*"))
    return [channel for channel in channels if any(run_id.encode() in channel for run_id in run_ids)]


def _sessions_too_many(house: FaultHouse) -> int:
    living = [program for program in (*house.workers, *house.apis) if program.alive]
    sessions = int(house.sql(_SESSIONS)[0][0])
    return sessions if sessions > SESSIONS_PER_PROCESS * len(living) else 0


def _brief(item: dict[str, Any]) -> str:
    text = json.dumps(item, ensure_ascii=False, sort_keys=True)
    return text if len(text) < 400 else f"{text[:400]}…"
