"""A worker with one safety taken out, to show that the checker notices.

`python -m tests.faults.broken_worker --without fence`: its log takes events of any attempt, and it neither
stands down nor watches itself. `--without care`: the same, before a log that refuses it. `--without order`: what it
shows as done is stored a moment later.
"""

import argparse
import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

from redis.asyncio import Redis

from shared.channels import Channels
from shared.event_log import EventLog
from shared.log_scripts import APPEND
from shared.logging import configure
from shared.settings import Settings
from worker.conversation_store import ConversationStore
from worker.lease import Leases
from worker.main import work
from worker.wiring import wired

LATE_SECONDS = 0.3


class UnfencedLog(EventLog):
    """Appends whatever it is given, at the log's end."""

    def __init__(self, redis: Redis, channels: Channels, *, tail: float) -> None:
        super().__init__(redis, channels, tail=tail)
        script = APPEND
        for check in (
            "if tonumber(held[1]) > tonumber(ARGV[1]) then return -1 end\n",
            "if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end\n",
            "if sequence == first - 1 + count then return 1 end\n",
            "if sequence ~= first - 1 then return 0 end\n",
        ):
            assert check in script
            script = script.replace(check, "")
        script = script.replace("publish(KEYS[3], ARGV[2], first", "publish(KEYS[3], ARGV[2], sequence + 1")
        self.append_script = script


class CarelessLeases(Leases):
    """Renews, and hears nothing of what came of it."""

    def stand_down(self) -> None: ...

    def watch(self) -> None: ...

    async def renew(self) -> None:
        attempts = self._slots.attempts
        query = """
            UPDATE runs SET lease_until = clock_timestamp() + interval '4 s'
            WHERE id = ANY(%(ids)s) AND owner = %(owner)s
        """
        await self._database.across_users.run(
            query, {"ids": [one.run.id for one in attempts], "owner": attempts[0].run.owner}
        )


class EagerStore(ConversationStore):
    """Says that an item is stored, and stores it a moment later."""

    async def add_thread_item(self, thread_id: str, item: Any, context: Any) -> None:
        async def later() -> None:
            await asyncio.sleep(LATE_SECONDS)
            with suppress(Exception):
                await super(EagerStore, self).add_thread_item(thread_id, item, context)

        self._late = asyncio.create_task(later())


BROKEN = {
    "fence": partial(wired, log_of=UnfencedLog, leases_of=CarelessLeases),
    "care": partial(wired, leases_of=CarelessLeases),
    "order": partial(wired, store_of=EagerStore),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--without", choices=list(BROKEN), required=True)
    chosen = parser.parse_args().without
    environment = Settings.load()
    configure(environment, process="worker")
    asyncio.run(work(environment, BROKEN[chosen]))
