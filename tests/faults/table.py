"""The table of faults: what is done to the system, and what its users must see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    number: int
    fault: str
    expected: str


_TABLE = """
SIGKILL worker mid-delta | ≤ 5 s: half-shown item removed, answer goes on; stored once
SIGKILL after the model's response is journaled, before its tool | the tool runs once; the model is not asked again
SIGKILL during a keyed tool, after its effect | ledger 1; the second call carries the same key
SIGKILL during a tool that is not repeatable | not called again; the model is told "outcome unknown"
SIGKILL with one of two parallel tools done | the done one is not run again
SIGKILL between the commit of a message and its publish | client and database agree
SIGKILL between the terminal status and the log's end | every stream ends within 2 s
SIGKILL of the API between the admission and the queue | the run starts within 3 s; a retry with the same key attaches
SIGSTOP worker 30 s, then CONT | taken over ≤ 5 s; the zombie writes 0 rows, 0 events, starts 0 tools
worker's loop blocked 10 s by a sync tool | one answer
a message that kills its worker three times | run failed with an error the user sees; other runs recovered
SIGTERM to every process in turn under load | nothing lost, doubled or failed; no retry spent
SIGTERM API with open streams | exits within its grace; clients re-attach without gap
client reset / tab closed | run goes on, stored; relay freed < 1 s
reload mid-run | open text shown, then live, then done
cursor: none, k, last, of an older generation, garbage | all / the rest / live only / snapshot then live / 400
reconnect after the log expired | stored messages, clean end
slow reader | dropped after the send timeout; memory flat; others untouched
five tabs on one run | all the same
Redis restart with data, without data, down 60 s | runs complete; queued runs start ≤ 3 s after; POST: "queued" or 503
`CLIENT KILL TYPE pubsub` every 50 ms; dropped messages; half-open TCP | no gap, no duplicate
Postgres restart 10 s; longer than a lease; pool exhausted | no `done` before commit; workers stand down; fast 503
partition worker–Postgres only; worker–Redis only | taken over / goes on buffered
model: 429, 500, time-out, hang, garbage, end without finish reason | error with retry; no provider text, no half answer
model calls tools for ever; duplicate or empty call ids; `__fake_id__` | bounded; all calls run; all messages distinct
tool raises, hangs, returns 10 MB, NUL, lone surrogates, ignores cancellation | run ends; worker lives
Stop mid-delta; in a tool; queued; twice; after the end; worker killed | ≤ 1 s (≤ 5 s where killed); partial text once
two POSTs on one conversation at once through two APIs | one run; the other is told so; no orphan message
one `Idempotency-Key` 50 times in parallel | one run, 50 identical streams
conversation deleted during its run | run cancelled; no rows reappear
burst of ten times the capacity | refused before anything is stored; accepted ones end; no user starves
journal written by the previous release, or under another prompt | read, or failed with retry; never a mixed answer
SIGKILL after a message is stored, before its response is journaled | cannot happen: `done` waits for the journal
a 15-minute tool without output (time shortened by settings) | stream, lease and log alive; cursor still good
"""

SHOWS = {
    35: Row(35, "20 kills of a worker in mid-sentence", "20 whole answers; moving again ≤ 5 s p95; 0 texts twice"),
    36: Row(36, "1,000 random disconnects of readers", "0 gaps, 0 duplicates"),
    37: Row(37, "100 socket drops, 100 Stops", "100 completed, 100 cancelled"),
    38: Row(38, "unmodified servers (widgets; client tools) under kill and Stop", "shown equals stored"),
    39: Row(39, "seeded random faults", "the checker finds nothing"),
    40: Row(40, "negative control: without the fence", "the checker fails"),
    41: Row(41, "negative control: without the ack wait", "the checker fails"),
    42: Row(42, "negative control: published before it is persisted", "the checker fails"),
}
"""What is shown beside the table, numbered on."""


def _rows() -> dict[int, Row]:
    lines = [line.split(" | ") for line in _TABLE.strip().splitlines()]
    return {number: Row(number, fault, expected) for number, (fault, expected) in enumerate(lines, 1)}


ROWS = _rows() | SHOWS
