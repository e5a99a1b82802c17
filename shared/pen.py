"""Appending to event logs: many runs' batches in one round trip, by a line of one's own (shared/redis_line.py)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from shared.log_scripts import keys as log_keys
from shared.patience import Patience
from shared.records import RECORD_SEPARATOR, Cursor, flat, introduced
from shared.redis_line import Line, packed

ANSWER_SECONDS = 5.0


class Appended(IntEnum):
    """What came of an append."""

    DONE = 1
    LOST = 0
    """The log stands elsewhere: Redis lost some or all of it."""
    STALE = -1
    """A newer attempt writes this log, or it was closed from outside."""


@dataclass(frozen=True, slots=True)
class Append:
    """Encoded records to go after `at`. `expires_at`, in Unix seconds, is for a log that is never closed."""

    run_id: str
    attempt: int
    at: Cursor
    records: Sequence[bytes]
    expires_at: float


class Pen:
    """Appends to many logs in one round trip: `write`, then `results`, in turns.

    Sending the same batch twice is harmless. A batch whose last record is an `End` closes its log.
    """

    def __init__(self, line: Line, script: bytes, tail_ms: int) -> None:
        self._line, self._script, self._tail_ms = line, script, tail_ms
        self._patience = Patience(ANSWER_SECONDS)
        self._asked = 0

    @classmethod
    async def take(cls, line: Line, script: str, *, tail_ms: int) -> "Pen":
        """A pen on this line, once Redis knows the script. Raises as `results` does, and the line is closed then."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                line.write(packed([b"SCRIPT", b"LOAD", script.encode()]))
                [sha] = await line.read()
        except BaseException:
            await line.close()
            raise
        return cls(line, sha, tail_ms)

    def write(self, appends: Sequence[Append]) -> None:
        """Send them: they are on their way when this returns."""
        self._asked += len(appends)
        self._line.write(b"".join(map(self._command, appends)))

    async def results(self) -> list[Appended]:
        """What came of all that was written, in order. Raises redis' ConnectionError, and TimeoutError for silence."""
        results: list[Appended] = []
        with self._patience:
            while len(results) < self._asked:
                results += map(Appended, await self._line.read())
        self._asked = 0
        return results

    async def close(self) -> None:
        """Write no more."""
        self._patience.close()
        await self._line.close()

    def _command(self, one: Append) -> bytes:
        keys = [key.encode() for key in log_keys(one.run_id)]
        place = (one.attempt, one.at.generation, one.at.sequence + 1, len(one.records))
        tail = self._tail_ms if one.records[-1][:1] == b"x" else b""
        end = (int(one.expires_at * 1000), tail)
        new = flat(introduced(one.records))
        return packed([b"EVALSHA", self._script, 3, *keys, *place, RECORD_SEPARATOR.join(one.records), *end, *new])
