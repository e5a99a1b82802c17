"""Collects what no message carries: attachments that were uploaded and never sent, and bytes without a row."""

import asyncio

import structlog

from shared import attachments
from shared.database import AWAY, Database
from shared.files import Files

logger = structlog.get_logger()

SHORTEST, LONGEST = 0.5, 600.0
"""Seconds between two rounds, a tenth of the time that an attachment may wait for its message."""


class Collector:
    """Collects for ever; `collect` is one round. Several workers may do it at once."""

    def __init__(self, database: Database, files: Files, *, unbound_seconds: float) -> None:
        self._database, self._files, self._unbound_seconds = database, files, unbound_seconds

    async def run(self) -> None:
        """Collect until cancelled."""
        while True:
            await asyncio.sleep(min(max(self._unbound_seconds / 10, SHORTEST), LONGEST))
            try:
                await self.collect()
            except (*AWAY, OSError) as error:
                logger.warning("cannot collect attachments", error=type(error).__name__)

    async def collect(self) -> None:
        """One round. A file is looked at only once it is old: a younger one may be about to get its row."""
        async with self._database.across_users.connection() as connection:
            forgotten = await attachments.forget_unbound(connection, seconds=self._unbound_seconds)
            old = await self._files.older_than(self._unbound_seconds)
            orphans = await attachments.without_row(connection, old) if old else []
        for name in (*forgotten, *orphans):
            await self._files.delete(name)
        if forgotten or orphans:
            logger.info("attachments collected", unbound=len(forgotten), orphans=len(orphans))
