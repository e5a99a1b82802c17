"""`python -m worker inspect RUN_ID`: one run for an operator, from its rows and what Redis still has of its log.

It starts no worker and imports no agent. It tells types, lengths, names and times: never a text, and not whose it is.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from datetime import datetime

from redis.asyncio import Redis

from shared.channels import REDIS_AWAY
from shared.database import Database
from shared.log_scripts import keys
from shared.reach import unreachable
from shared.records import RECORD_SEPARATOR
from shared.redis import connect
from shared.settings import Settings, UnusableSettings
from worker.timeline import Timeline, timeline_of

SHOWN = (
    "id",
    "conversation_id",
    "kind",
    "status",
    "attempt",
    "crashes",
    "generation",
    "owner",
    "lease_until",
    "deadline",
)


@dataclass(frozen=True)
class LogState:
    """A run's event log in Redis. `listening` counts API processes: each fans out to its own readers."""

    generation: int
    attempt: int
    records: int
    ended: bool
    expires_in_seconds: float | None
    listening: int


def main() -> int:
    """Print the run; 1 where there is none, or where a server that it needs is not there."""
    parser = argparse.ArgumentParser(prog="python -m worker inspect", description="Show what has become of a run.")
    parser.add_argument("run_id")
    parser.add_argument("--json", action="store_true", help="for machines")
    asked = parser.parse_args(sys.argv[2:])
    try:
        settings = Settings.load()
    except UnusableSettings as reason:
        return _complain(str(reason))
    if complaint := unreachable(settings):
        return _complain(complaint)
    found = asyncio.run(look(settings, asked.run_id))
    if found is None:
        return _complain(f"There is no run {asked.run_id}.")
    print(as_json(*found) if asked.json else as_text(*found))
    return 0


async def look(settings: Settings, run_id: str) -> tuple[Timeline, LogState | None] | None:
    """The run's timeline and its log, if Redis has it; None where there is no such run."""
    async with Database(settings.database_url, min_size=1, max_size=1) as database:
        timeline = await timeline_of(database, run_id)
    if timeline is None:
        return None
    redis = connect(settings.events_url)
    try:
        return timeline, await log_state(redis, run_id)
    except REDIS_AWAY:
        return timeline, None
    finally:
        await redis.aclose()


async def log_state(redis: Redis, run_id: str) -> LogState | None:
    """What Redis has of the run's log; None where it has nothing."""
    head, stream, channel = keys(run_id)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hmget(head, ["generation", "attempt", "sequence"])
        pipeline.xrevrange(stream, count=1)
        pipeline.pttl(head)
        pipeline.pubsub_numsub(channel)
        (generation, attempt, sequence), last, milliseconds, listening = await pipeline.execute()
    if generation is None:
        return None
    return LogState(
        generation=int(generation),
        attempt=int(attempt),
        records=int(sequence),
        ended=bool(last) and last[0][1][b"r"].rpartition(RECORD_SEPARATOR)[2][:1] == b"x",
        expires_in_seconds=milliseconds / 1000 if milliseconds >= 0 else None,
        listening=listening[0][1],
    )


def as_json(timeline: Timeline, log: LogState | None) -> str:
    """One object: the run, its moments, its log."""
    run, request = timeline.run, timeline.run["request"]
    told = {
        **{name: run[name] for name in SHOWN},
        "given_back": timeline.given_back,
        "usage": run["usage"],
        "correlation": request.get("correlation"),
        "trace": _trace(request.get("traceparent")),
        "moments": [asdict(moment) for moment in timeline.moments],
        "log": asdict(log) if log else None,
    }
    return json.dumps(told, indent=2, default=_plain)


def as_text(timeline: Timeline, log: LogState | None) -> str:
    """A few lines on the run, one for each moment with its seconds since the admission, one on the log."""
    run, request = timeline.run, timeline.run["request"]
    tokens = (run["usage"] or {}).get("total_tokens")
    lines = [
        f"{run['id']}: {run['status']}",
        f"  conversation  {run['conversation_id'] or 'none'}",
        f"  correlation   {request.get('correlation') or 'none'}",
        f"  trace         {_trace(request.get('traceparent')) or 'none'}",
        f"  attempts      {run['attempt']}, given back {timeline.given_back}, crashed {run['crashes']}",
        f"  worker        {run['owner'] or 'none'}"
        + (f", lease until {run['lease_until']:%X}" if run["owner"] else ""),
        f"  admitted      {run['created_at'].isoformat()}, to end by {run['deadline'].isoformat()}",
        f"  tokens        {'unknown' if tokens is None else tokens}",
        "",
    ]
    for moment in timeline.moments:
        seconds = (moment.at - run["created_at"]).total_seconds()
        details = ", ".join(f"{name} {value}" for name, value in moment.details.items() if value is not None)
        attempt = "" if moment.attempt is None else f"attempt {moment.attempt}"
        lines.append(f"{seconds:10.3f} s  {attempt:<10}  {moment.what:<25} {details}".rstrip())
    return "\n".join([*lines, "", f"  log           {_log_in_words(log)}"])


def _log_in_words(log: LogState | None) -> str:
    if log is None:
        return "Redis has none: expired, lost, or away"
    expiry = "never expires" if log.expires_in_seconds is None else f"expires in {log.expires_in_seconds:.0f} s"
    state = "ended" if log.ended else "open"
    listening = f"{log.listening} API processes listening"
    return f"generation {log.generation}, {log.records} records, {state}, {expiry}, {listening}"


def _trace(traceparent: str | None) -> str | None:
    return traceparent.split("-")[1] if traceparent else None


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
