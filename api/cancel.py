"""Stop: asked for in Postgres first, then rung for; a run that no worker has ends here."""

import structlog

from shared.channels import REDIS_AWAY
from shared.database import Database
from shared.ending import end_log
from shared.event_log import EventLog
from shared.queue import Queue
from shared.runs import Runs, RunStatus

logger = structlog.get_logger()


class Cancel:
    """`await cancel(user_id, run_id)` asks for a run's end, as often as one likes."""

    def __init__(self, database: Database, log: EventLog, queue: Queue) -> None:
        self._database, self._log, self._queue, self._runs = database, log, queue, Runs(database)
        self.ended_waiting = 0
        """Runs that were ended here, because they waited."""

    async def __call__(self, user_id: str, run_id: str) -> RunStatus:
        """The status after asking. Raises NotFound."""
        run = await self._runs.request_cancel(user_id, run_id)
        try:
            if run.status == RunStatus.RUNNING:
                await self._queue.announce_cancel(run.id)
            elif run.status == RunStatus.CANCELLED and await end_log(self._log, self._database, run):
                self.ended_waiting += 1
        except REDIS_AWAY as error:
            # The worker sees the request at its next renewal, the reader the record at its next quiet second.
            logger.warning("cancel cannot be rung", run=run.id, error=type(error).__name__)
        return RunStatus(run.status)
