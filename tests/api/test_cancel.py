"""Stop: in Postgres first, then rung for."""

import pytest

from api.cancel import Cancel
from shared.channels import Channels
from shared.database import Database
from shared.errors import NotFound
from shared.event_log import EventLog
from shared.queue import BELL, Queue
from shared.records import End
from shared.redis import connect
from shared.runs import Runs, RunStatus
from tests.rows import claimed, queued, row_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def cancel(database: Database, event_log: EventLog, queue: Queue) -> Cancel:
    return Cancel(database, event_log, queue)


async def test_a_run_that_no_worker_has_ends_at_once_with_its_log(
    cancel: Cancel, database: Database, event_log: EventLog
) -> None:
    run = await queued(database)
    await event_log.begin(run.id, attempt=0, generation=1, expires_at=run.deadline.timestamp(), records=[])
    assert await cancel("ann", run.id) is RunStatus.CANCELLED
    assert [record async for record in event_log.records(run.id)] == [End("cancelled")]
    assert await cancel("ann", run.id) is RunStatus.CANCELLED
    assert cancel.ended_waiting == 1


async def test_a_running_runs_worker_is_rung_for(cancel: Cancel, database: Database, channels: Channels) -> None:
    run = await claimed(database)
    async with channels.listen(BELL) as inbox:
        assert await cancel("ann", run.id) is RunStatus.RUNNING
        heard: list[bytes] = []
        while f"cancel {run.id}".encode() not in heard:
            assert await inbox.wait(30)
            heard += inbox.take()[1]
    assert (await row_of(database, run))["cancel_requested_at"] is not None


async def test_a_run_that_has_ended_stays_as_it_is(cancel: Cancel, database: Database, runs: Runs) -> None:
    run = await claimed(database)
    await runs.finish(run, RunStatus.COMPLETED)
    assert await cancel("ann", run.id) is RunStatus.COMPLETED


async def test_another_users_run_cannot_be_stopped(cancel: Cancel, database: Database) -> None:
    run = await queued(database)
    for run_id in (run.id, "run_unknown"):
        with pytest.raises(NotFound):
            await cancel("bob", run_id)
    assert (await row_of(database, run))["status"] == "queued"


async def test_a_stop_is_kept_though_redis_is_away(database: Database, channels: Channels) -> None:
    class Away(Queue):
        async def announce_cancel(self, run_id: str) -> None:
            raise OSError

    working, waiting = await claimed(database), await queued(database)
    nowhere = EventLog(connect("unix:///nowhere/redis.sock"), channels, tail=60)
    cancel = Cancel(database, nowhere, Away(None))  # type: ignore[arg-type]
    assert await cancel("ann", working.id) is RunStatus.RUNNING
    assert await cancel("ann", waiting.id) is RunStatus.CANCELLED
    assert (await row_of(database, working))["cancel_requested_at"] is not None
