"""A run's moments, in the order in which they happened, with lengths and names in place of words."""

import pytest

from shared.database import Database
from shared.runs import Runs, RunStatus
from shared.tables import Run
from tests.rows import answer, claimed, queued, save, superseded
from worker.current_run import CurrentRun
from worker.journal import Journal, Place
from worker.timeline import Timeline, timeline_of

pytestmark = pytest.mark.anyio

SAID = "what the model said"
RESPONSE = {
    "model": "openai/gpt-test",
    "output": [{"type": "function_call", "name": "look_up", "arguments": SAID}],
    "usage": {"input_tokens": 11, "output_tokens": 3, "total_tokens": 14},
}


async def known(database: Database, run: Run) -> Timeline:
    timeline = await timeline_of(database, run.id)
    assert timeline is not None
    return timeline


def whats(timeline: Timeline) -> list[tuple[str, int | None]]:
    return [(moment.what, moment.attempt) for moment in timeline.moments]


async def test_a_run_that_nobody_has_is_none(database: Database) -> None:
    assert await timeline_of(database, "run_unknown") is None


async def test_a_waiting_run_was_admitted_and_rung_for(database: Database) -> None:
    timeline = await known(database, await queued(database))
    assert {what for what, _ in whats(timeline)} == {"admitted", "message stored", "rung for"}
    assert timeline.given_back == 0


async def test_each_response_and_each_tool_stands_where_it_happened_and_says_no_word(database: Database) -> None:
    run = await claimed(database, SAID)
    journal = Journal(database, CurrentRun(run, say=lambda _: None))
    await journal.record_step("1", 0, "a fingerprint", RESPONSE)
    for index in (0, 1):
        await journal.begin(Place(run.id, "1", 0, index), "look_up")
    await journal.finish(Place(run.id, "1", 0, 0), {"result": SAID})
    await save(database, run, answer(SAID, run))
    await Runs(database).finish(run, RunStatus.FAILED, error={"code": "stream.error"})
    timeline = await known(database, run)
    assert whats(timeline)[-6:] == [
        ("model response", 1),
        ("tool begun", 1),
        ("tool begun, not finished", 1),
        ("tool finished", 1),
        ("message stored", 1),
        ("failed", 1),
    ]
    response, *_, message, end = (moment.details for moment in timeline.moments[-6:])
    assert (response["model"], response["calls"], response["output_tokens"]) == ("openai/gpt-test", 1, 3)
    assert (message["type"], message["characters"]) == ("assistant_message", len(SAID))
    assert end == {"error": "stream.error"}
    assert SAID not in str(timeline.moments)


async def test_an_attempt_that_did_not_end_its_run_was_given_back(database: Database) -> None:
    run = await superseded(database, await claimed(database))
    assert (await known(database, run)).given_back == 1
    await Runs(database).hand_over(run)
    assert (await known(database, run)).given_back == 2


async def test_a_stop_that_was_asked_for_is_told(database: Database) -> None:
    run = await claimed(database)
    await Runs(database).request_cancel("ann", run.id)
    assert ("cancel requested", None) in whats(await known(database, run))
