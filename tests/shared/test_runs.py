"""Runs: one winner of every claim, one active run of a conversation, nothing written by an attempt that is over."""

import asyncio

import pytest

from shared import runs as records
from shared.database import Database
from shared.errors import ConversationBusy, NotClaimable, NotFound, StaleAttempt
from shared.ids import new_id
from shared.runs import RunKind, Runs, RunStatus
from shared.standings import Standings
from tests.rows import claimed, queued, requeued, row_of, superseded

pytestmark = pytest.mark.anyio

ENDS = [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED]


async def age(database: Database, run_id: str, **seconds: float) -> None:
    """Make these moments of the run so many seconds past."""
    for column, value in seconds.items():
        sql = f"UPDATE runs SET {column} = clock_timestamp() - make_interval(secs => %(s)s) WHERE id = %(id)s"
        await database.across_users.run(sql, {"s": value, "id": run_id})


async def insert(database: Database, conversation_id: str | None, kind: RunKind = RunKind.RESPOND) -> None:
    what = {"run_id": new_id("run"), "user_id": "ann", "kind": kind, "request": {}, "deadline": 9.0}
    async with database.across_users.transaction() as connection:
        await records.insert(connection, conversation_id=conversation_id, **what)


async def test_of_many_claims_of_one_run_one_wins(database: Database, runs: Runs) -> None:
    run = await queued(database)
    results = await asyncio.gather(*(runs.claim(run.id, f"w{n}") for n in range(20)), return_exceptions=True)
    winners = [result for result in results if not isinstance(result, NotClaimable)]
    assert len(winners) == 1
    assert (await row_of(database, run))["attempt"] == 1


async def test_a_claim_is_the_next_attempt_with_a_lease_by_the_databases_clock(database: Database, runs: Runs) -> None:
    run = await queued(database)
    assert (run.status, run.attempt, run.generation, run.crashes) == ("queued", 0, 1, 0)
    first = (await runs.claim(run.id, "w")).run
    assert (first.status, first.attempt, first.owner) == ("running", 1, "w")
    sql = "SELECT extract(epoch FROM lease_until - clock_timestamp())::float AS left FROM runs WHERE id = %(id)s"
    left = await database.across_users.one(sql, {"id": run.id})
    assert left is not None
    assert 0 < left["left"] <= records.LEASE_SECONDS
    second = await superseded(database, first)
    assert (second.attempt, second.started_at) == (2, first.started_at)


async def test_what_runs_or_has_ended_or_never_was_cannot_be_claimed(database: Database, runs: Runs) -> None:
    running = await claimed(database)
    over = await claimed(database)
    await runs.finish(over, RunStatus.COMPLETED)
    for run_id in (running.id, over.id, new_id("run")):
        with pytest.raises(NotClaimable):
            await runs.claim(run_id, "w")


@pytest.mark.parametrize("status", ENDS)
async def test_a_run_is_finished_once_and_keeps_what_came_of_it(
    database: Database, runs: Runs, status: RunStatus
) -> None:
    run = await claimed(database)
    assert await runs.finish(run, status, usage={"requests": 2}, error=None, result={"a": [1]})
    for other in ENDS:
        assert not await runs.finish(run, other)
    row = await row_of(database, run)
    assert (row["status"], row["usage"], row["error"], row["result"]) == (status, {"requests": 2}, None, {"a": [1]})
    assert (row["owner"], row["lease_until"]) == (None, None)
    assert row["finished_at"] is not None


async def test_an_older_attempt_can_neither_finish_nor_hand_over_nor_begin_a_generation(
    database: Database, runs: Runs
) -> None:
    old = await claimed(database)
    new = await superseded(database, old)
    assert not await runs.finish(old, RunStatus.COMPLETED)
    assert not await runs.hand_over(old)
    with pytest.raises(StaleAttempt):
        await runs.next_generation(old)
    row = await row_of(database, new)
    assert (row["status"], row["attempt"], row["generation"]) == ("running", 2, 1)
    assert [await runs.next_generation(new) for _ in range(2)] == [2, 3]


async def test_an_attempt_whose_run_went_back_to_the_queue_holds_nothing(database: Database, runs: Runs) -> None:
    run = await claimed(database)
    await requeued(database, run)
    assert not await runs.finish(run, RunStatus.COMPLETED)
    assert not await runs.hand_over(run)


async def test_a_hand_over_counts_no_crash_and_the_run_can_be_claimed_again(database: Database, runs: Runs) -> None:
    run = await claimed(database)
    assert await runs.hand_over(run)
    row = await row_of(database, run)
    assert (row["status"], row["crashes"], row["rings"], row["owner"]) == ("queued", 0, 0, None)
    assert (await runs.claim(run.id, "w")).run.attempt == 2


async def test_a_conversation_has_one_active_run_by_the_index(database: Database, runs: Runs) -> None:
    first = await queued(database)
    for kind in (RunKind.RESPOND, RunKind.ACTION):
        with pytest.raises(ConversationBusy):
            await insert(database, first.conversation_id, kind)
    running = (await runs.claim(first.id, "w")).run
    with pytest.raises(ConversationBusy):
        await insert(database, first.conversation_id)
    await insert(database, first.conversation_id, RunKind.CALL)
    await runs.finish(running, RunStatus.COMPLETED)
    await insert(database, first.conversation_id)


async def test_of_many_admissions_to_one_conversation_one_is_let_in(database: Database, runs: Runs) -> None:
    over = await claimed(database)
    await runs.finish(over, RunStatus.COMPLETED)
    attempts = [insert(database, over.conversation_id) for _ in range(10)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [ConversationBusy] * 9


async def test_runs_without_a_conversation_do_not_exclude_one_another(database: Database) -> None:
    await insert(database, None, RunKind.CALL)
    await insert(database, None, RunKind.CALL)


async def test_a_queued_run_ends_by_its_cancel_and_a_running_one_is_only_asked(database: Database, runs: Runs) -> None:
    waiting, working = await queued(database), await claimed(database)
    assert (await runs.request_cancel("ann", waiting.id)).status == RunStatus.CANCELLED
    assert (await row_of(database, waiting))["finished_at"] is not None
    with pytest.raises(NotClaimable):
        await runs.claim(waiting.id, "w")
    first = await runs.request_cancel("ann", working.id)
    again = await runs.request_cancel("ann", working.id)
    assert (first.status, first.finished_at) == (RunStatus.RUNNING, None)
    assert again.cancel_requested_at == first.cancel_requested_at


async def test_a_run_that_has_ended_cannot_be_cancelled_any_more(database: Database, runs: Runs) -> None:
    run = await claimed(database)
    await runs.finish(run, RunStatus.COMPLETED)
    assert (await runs.request_cancel("ann", run.id)).status == RunStatus.COMPLETED
    assert (await row_of(database, run))["cancel_requested_at"] is None


async def test_another_users_run_is_not_there(database: Database, runs: Runs) -> None:
    run = await queued(database)
    for run_id in (run.id, new_id("run")):
        with pytest.raises(NotFound):
            await runs.get("bob", run_id)
        with pytest.raises(NotFound):
            await runs.request_cancel("bob", run_id)
    assert await runs.active("bob", run.conversation_id or "") is None
    assert await runs.active("ann", run.conversation_id or "") == run.id
    assert (await runs.get("ann", run.id)).status == "queued"


async def test_a_standing_says_the_place_in_the_queue_and_for_how_long_nobody_came(
    database: Database, runs: Runs
) -> None:
    first, second = await queued(database), await queued(database)
    await age(database, first.id, created_at=50, rung_at=40)
    standings = await Standings(database).of([first.id, second.id, "run_unknown"])
    assert set(standings) == {first.id, second.id}
    assert [standings[run.id].queue_position for run in (first, second)] == [1, 2]
    assert standings[first.id].waiting_seconds >= 50
    assert 40 <= standings[first.id].unowned_seconds < 50
    working = (await runs.claim(first.id, "w")).run
    standing = (await Standings(database).of([first.id]))[first.id]
    assert (standing.queue_position, standing.unowned_seconds) == (None, 0)
    await age(database, first.id, lease_until=7)
    assert 7 <= (await Standings(database).of([first.id]))[first.id].unowned_seconds < 17
    await runs.finish(working, RunStatus.FAILED)
    assert (await Standings(database).of([first.id]))[first.id].unowned_seconds == 0


def test_three_statuses_are_for_ever() -> None:
    assert [status for status in RunStatus if status.ended] == ENDS


async def test_of_one_users_waiting_runs_two_are_rung_for_and_a_claim_rings_the_next(database: Database) -> None:
    rung: list[str] = []
    runs = Runs(database, ring=rung.append)
    waiting = [await queued(database) for _ in range(4)]
    assert [run.rung_at is not None for run in waiting] == [True, True, False, False]
    await runs.claim(waiting[0].id, "w")
    assert rung == [waiting[2].id]
    await runs.claim(waiting[1].id, "w")
    assert rung == [waiting[2].id, waiting[3].id]


async def test_of_one_users_runs_no_more_than_so_many_are_carried_out_at_once(database: Database) -> None:
    rung: list[str] = []
    runs = Runs(database, at_once=2, ring=rung.append)
    waiting = [await queued(database, at_once=2) for _ in range(5)]
    working = [(await runs.claim(run.id, "w")).run for run in waiting[:2]]
    assert rung == []
    late = await queued(database, at_once=2)
    assert late.rung_at is None
    assert (await queued(database, user_id="bob", at_once=2)).rung_at is not None
    await runs.finish(working[0], RunStatus.COMPLETED)
    assert rung == [waiting[2].id]
    await runs.claim(waiting[2].id, "w")
    await runs.finish(working[1], RunStatus.FAILED)
    assert rung == [waiting[2].id, waiting[3].id]


async def test_claims_and_ends_at_the_same_moment_leave_nobody_without_a_ring(database: Database) -> None:
    """Each ring is answered at once, and each answer ends at once: all runs are over with no sweeper's help."""
    done: list[str] = []
    answering: set[asyncio.Task[None]] = set()

    async def answer(run_id: str) -> None:
        run = (await runs.claim(run_id, "w")).run
        await runs.finish(run, RunStatus.COMPLETED)
        done.append(run_id)

    def ring(run_id: str) -> None:
        answering.add(asyncio.create_task(answer(run_id)))

    runs = Runs(database, at_once=3, ring=ring)
    for run in [await queued(database, at_once=3) for _ in range(40)]:
        if run.rung_at is not None:
            ring(run.id)
    while unanswered := {task for task in answering if not task.done()}:
        await asyncio.wait(unanswered)
    assert await database.across_users.all("SELECT id FROM runs WHERE status = 'queued'", {}) == []
    assert len(done) == 40


async def test_a_run_that_waits_for_its_users_own_is_nobodys_neglect(database: Database, runs: Runs) -> None:
    await queued(database, at_once=1)
    second = await queued(database, at_once=1)
    await age(database, second.id, created_at=100)
    standing = (await Standings(database).of([second.id]))[second.id]
    assert (standing.queue_position, standing.unowned_seconds) == (2, 0)
    assert standing.waiting_seconds >= 100


async def test_a_claim_brings_what_is_asked_for_first(database: Database, runs: Runs) -> None:
    await queued(database, "another's")
    run = await queued(database, "hello")
    claim = await runs.claim(run.id, "w")
    conversation_id, message_id = run.conversation_id or "", run.request["message_id"]
    conversation, message = claim.rows[conversation_id, None], claim.rows[conversation_id, message_id]
    assert len(claim.rows) == 2
    assert (conversation["id"], conversation["user_id"]) == (conversation_id, "ann")
    assert (message["id"], message["type"]) == (message_id, "user_message")
    assert message["item"]["content"] == [{"type": "input_text", "text": "hello"}]
    assert (await runs.claim((await queued(database, message_id=None)).id, "w")).rows.keys() != {}
    sql = "INSERT INTO runs (id, user_id, kind, request, deadline) VALUES ('run_a_call', 'ann', 'call', '{}', now())"
    await database.across_users.run(sql, {})
    assert (await runs.claim("run_a_call", "w")).rows == {}
