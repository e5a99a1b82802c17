"""Writing to an event log as a worker does, without its flusher."""

from collections.abc import Sequence

from shared.event_log import EventLog
from shared.pen import Append, Appended


async def append(log: EventLog, appends: Sequence[Append]) -> list[Appended]:
    """What came of each, by a pen for this once."""
    pen = await log.pen()
    try:
        pen.write(appends)
        return await pen.results()
    finally:
        await pen.close()
