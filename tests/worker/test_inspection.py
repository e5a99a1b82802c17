"""`python -m worker inspect`: what an operator is shown of a run, as a person and as a program."""

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from shared.database import Database
from shared.event_log import EventLog
from shared.records import End, Event
from shared.runs import Runs, RunStatus
from shared.tables import Run
from tests.house import ROOT
from tests.rows import claimed
from worker.inspection import log_state

pytestmark = pytest.mark.anyio

WORDS = "what was said"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Inspect = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inspect(database_url: str, redis_url: str) -> Inspect:
    env = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "worker", "inspect", *arguments]
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
async def answered(database: Database, event_log: EventLog) -> Run:
    """A run that has ended, its log still there."""
    run = await claimed(database, WORDS, correlation="order-4711", traceparent=TRACEPARENT)
    expires_at = run.deadline.timestamp()
    await event_log.begin(run.id, attempt=1, generation=1, expires_at=expires_at, records=[Event(b"{}")])
    await Runs(database).finish(run, RunStatus.COMPLETED, usage={"total_tokens": 14})
    await event_log.seal(run.id, [End("completed")])
    return run


async def test_a_person_is_shown_the_run_its_moments_and_its_log(inspect: Inspect, answered: Run) -> None:
    shown = inspect(answered.id)
    assert (shown.returncode, shown.stderr) == (0, "")
    head, *lines = shown.stdout.splitlines()
    assert head == f"{answered.id}: completed"
    for words in ("order-4711", "4bf92f3577b34da6a3ce929d0e0e4736", "attempts      1, given back 0, crashed 0"):
        assert words in shown.stdout
    moments = [line for line in lines if " s  " in line]
    assert [line.split("  ")[-1].split()[0] for line in moments if "stored" in line] == ["type"]
    assert any("first claimed" in line for line in moments)
    assert "completed" in moments[-1]
    assert "generation 1, 2 records, ended, expires in" in lines[-1]
    assert WORDS not in shown.stdout
    assert "ann" not in shown.stdout


async def test_a_program_is_given_the_same_as_json(inspect: Inspect, answered: Run) -> None:
    told = json.loads(inspect(answered.id, "--json").stdout)
    assert (told["id"], told["status"], told["correlation"]) == (answered.id, "completed", "order-4711")
    assert (told["log"]["records"], told["log"]["ended"], told["log"]["listening"]) == (2, True, 0)
    assert [moment["what"] for moment in told["moments"]][-1] == "completed"
    assert "user_id" not in told


def test_a_run_that_is_not_there_is_said_in_a_sentence(inspect: Inspect) -> None:
    missing = inspect("run_unknown")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "There is no run run_unknown.\n"


async def test_a_log_that_is_open_has_its_readers_counted(
    redis: Redis, event_log: EventLog, database: Database
) -> None:
    run = await claimed(database)
    assert await log_state(redis, run.id) is None
    await event_log.begin(run.id, attempt=0, generation=1, expires_at=run.deadline.timestamp(), records=[Event(b"{}")])
    following = event_log.follow(run.id)
    await anext(following)
    state = await log_state(redis, run.id)
    await following.aclose()
    assert state is not None
    assert (state.ended, state.records, state.listening) == (False, 1, 1)
    assert state.expires_in_seconds is not None


def test_looking_imports_no_agent_and_no_model() -> None:
    code = (
        "import worker.inspection, sys; print([name for name in ('agents', 'litellm', 'arq') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
