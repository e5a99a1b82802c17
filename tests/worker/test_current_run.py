"""The run of a task: found without being passed along, and never another task's."""

import asyncio

import pytest

from shared.tables import Run
from worker.current_run import CurrentRun, carrying_out, current_run, current_run_or_none

pytestmark = pytest.mark.anyio


def run(number: int = 7) -> CurrentRun:
    return CurrentRun(Run(id=f"run_{number}", user_id="ann", kind="respond", attempt=2), say=lambda _: None)


async def test_whatever_a_run_starts_belongs_to_it_and_nothing_else_does() -> None:
    async def whose() -> str:
        await asyncio.sleep(0)
        return current_run().run.id

    async def carried(number: int) -> list[str]:
        with carrying_out(run(number)):
            inner = asyncio.create_task(whose())
            return [await whose(), await inner, await asyncio.to_thread(lambda: current_run().run.id)]

    assert await asyncio.gather(carried(1), carried(2)) == [["run_1"] * 3, ["run_2"] * 3]
    assert current_run_or_none() is None
    with pytest.raises(LookupError):
        current_run()


def test_ids_are_minted_in_the_same_order_by_every_attempt() -> None:
    assert [run().mint("msg") for _ in range(2)] == ["msg_7_1", "msg_7_1"]
    one = run()
    assert [one.mint(kind) for kind in ("msg", "wf", "msg")] == ["msg_7_1", "wf_7_1", "msg_7_2"]


def test_a_retracted_id_is_passed_over() -> None:
    current = run()
    current.retracted |= {"msg_7_1", "msg_7_3"}
    assert [current.mint("msg") for _ in range(2)] == ["msg_7_2", "msg_7_4"]


def test_who_writes_is_the_attempt_for_its_owner() -> None:
    writer = run().writer
    assert (writer.run_id, writer.attempt, writer.user_id) == ("run_7", 2, "ann")


def test_without_anyone_to_hear_a_pause_and_a_stop_are_nothing() -> None:
    run().pause_point()
    run().stop_asked()
