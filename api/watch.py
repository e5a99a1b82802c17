"""How runs stand, asked for by many quiet relays and answered by one query."""

import asyncio

from shared.runs import RunStatus
from shared.standings import Standing, Standings

GONE = Standing(RunStatus.CANCELLED, 0, None, 0.0, 0.0)
"""A run without a record was deleted with its conversation."""

GATHER_SECONDS = 0.02


class Watch:
    """Collects the questions of a moment into one query."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._asked: dict[str, asyncio.Future[Standing]] = {}
        self._answering: asyncio.Task[None] | None = None

    async def look(self, run_id: str) -> Standing:
        """How the run stands. Raises what Postgres raises."""
        future = self._asked.get(run_id)
        if future is None:
            future = self._asked[run_id] = asyncio.get_running_loop().create_future()
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer())
        return await asyncio.shield(future)

    async def _answer(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        asked, self._asked, self._answering = self._asked, {}, None
        try:
            standings = await self._standings.of(list(asked))
        except Exception as error:
            for future in asked.values():
                future.set_exception(error)
                future.exception()
            return
        for run_id, future in asked.items():
            future.set_result(standings.get(run_id, GONE))
