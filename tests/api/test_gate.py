"""What is let in, counted while others come in at the same moment."""

import asyncio

import pytest

from api.gate import Gate
from shared.database import Database
from shared.errors import TooMany, Unavailable
from shared.ids import new_id
from shared.runs import RunKind, insert
from tests.rows import queued

pytestmark = pytest.mark.anyio


async def test_requests_of_one_user_at_the_same_moment_are_counted_one_by_one(database: Database) -> None:
    gate = Gate(database, max_queued=100, max_active=3)

    async def come(user_id: str) -> bool:
        async with database.transaction() as connection:
            try:
                await gate.check_user(connection, user_id)
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
    rung = await database.all("SELECT user_id FROM runs WHERE rung_at IS NOT NULL ORDER BY user_id", {})
    assert [row["user_id"] for row in rung] == ["ann", "ann", "bob", "bob"]


async def test_who_is_refused_takes_no_place_from_the_others(database: Database) -> None:
    gate = Gate(database, max_queued=5, max_active=1)
    async with database.transaction() as connection:
        run_id, kind = new_id("run"), RunKind.RESPOND
        await insert(connection, run_id=run_id, user_id="ann", conversation_id=None, kind=kind, request={}, deadline=60)
    for _ in range(20):
        await gate.check_queue()
        async with database.transaction() as connection:
            with pytest.raises(TooMany):
                await gate.check_user(connection, "ann")
    await gate.check_queue()


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
