"""What is let in, counted while others come in at the same moment."""

import asyncio

import pytest

from api.gate import Gate
from shared.database import Database
from shared.errors import BudgetSpent, TooMany, Unavailable
from shared.ids import new_id
from shared.runs import RunKind, insert
from tests.rows import queued

pytestmark = pytest.mark.anyio


async def test_requests_of_one_user_at_the_same_moment_are_counted_one_by_one(database: Database) -> None:
    gate = Gate(database, max_queued=100, max_active=3)

    async def come(user_id: str) -> bool:
        async with database.across_users.transaction() as connection:
            try:
                gate.check_user(await (await gate.ask_of_user(connection, user_id)).fetchone())
            except TooMany:
                return False
            run_id = new_id("run")
            kind, none = RunKind.RESPOND, None
            await insert(
                connection, run_id=run_id, user_id=user_id, conversation_id=none, kind=kind, request={}, deadline=60
            )
            return True

    let_in = await asyncio.gather(*(come("ann") for _ in range(8)), *(come("bob") for _ in range(2)))
    assert let_in.count(True) == 5
    assert let_in[8:] == [True, True]
    rung = await database.across_users.all("SELECT user_id FROM runs WHERE rung_at IS NOT NULL ORDER BY user_id", {})
    assert [row["user_id"] for row in rung] == ["ann", "ann", "bob", "bob"]


async def test_who_is_refused_takes_no_place_from_the_others(database: Database) -> None:
    gate = Gate(database, max_queued=5, max_active=1)
    async with database.across_users.transaction() as connection:
        run_id, kind = new_id("run"), RunKind.RESPOND
        await insert(connection, run_id=run_id, user_id="ann", conversation_id=None, kind=kind, request={}, deadline=60)
    for _ in range(20):
        await gate.check_queue()
        async with database.across_users.transaction() as connection:
            standing = await (await gate.ask_of_user(connection, "ann")).fetchone()
            with pytest.raises(TooMany):
                gate.check_user(standing)
    await gate.check_queue()


async def test_who_has_spent_the_day_is_told_when_the_next_begins_and_takes_no_place(database: Database) -> None:
    gate = Gate(database, max_queued=5, max_active=9, max_tokens_per_day=1000)

    async def come(user_id: str, **how: bool) -> None:
        async with database.of(user_id).transaction() as connection:
            gate.check_user(await (await gate.ask_of_user(connection, user_id)).fetchone(), **how)

    async def spent(user_id: str, tokens: int, *, day: str = "now()") -> None:
        sql = f"INSERT INTO daily_tokens VALUES (%(u)s, ({day} AT TIME ZONE 'UTC')::date, %(n)s)"
        await database.of(user_id).run(sql, {"u": user_id, "n": tokens})

    await spent("ann", 1000)
    await spent("bob", 999)
    await spent("cid", 10_000, day="(now() - interval '1 day')")
    for _ in range(20):
        await gate.check_queue()
        with pytest.raises(BudgetSpent) as refused:
            await come("ann")
        assert 0 < int(refused.value.headers["Retry-After"]) <= 24 * 3600
    for user_id in ("bob", "cid", "dan"):
        await come(user_id)
    await come("ann", spends=False)


async def test_without_a_budget_nothing_is_asked_of_it(database: Database) -> None:
    await database.of("ann").run(
        "INSERT INTO daily_tokens VALUES ('ann', (now() AT TIME ZONE 'UTC')::date, 1000000)", {}
    )
    async with database.of("ann").transaction() as connection:
        gate = Gate(database, max_queued=5, max_active=9)
        gate.check_user(await (await gate.ask_of_user(connection, "ann")).fetchone())


async def test_several_processes_at_once_do_not_fill_the_queue_several_times(database: Database) -> None:
    gates = [Gate(database, max_queued=40, max_active=1000) for _ in range(4)]
    shut: set[Gate] = set()
    stored = 0
    while len(shut) < len(gates):
        for gate in set(gates) - shut:
            try:
                await gate.check_queue()
            except Unavailable:
                shut.add(gate)
            else:
                await queued(database)
                stored += 1
    assert 40 <= stored <= 40 + len(gates)
