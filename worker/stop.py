"""Why an attempt is stopped: the reason decides what may still be written."""

from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.types import ThreadItem, ThreadMetadata

from worker.current_run import current_run


class StopReason(Enum):
    """Only USER ends the run as cancelled; the others end the attempt, or fail the run."""

    USER = "user"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"
    LEASE_LOST = "lease lost"


def tell_only_of_stop(server: ChatKitServer[Any]) -> None:
    """Let the SDK call the server's `handle_stream_cancelled` for a user's Stop, and for nothing else.

    The SDK takes every cancellation for one; a deploy or a lost lease is none, and must not be stored as one.
    """
    told: Callable[[ThreadMetadata, list[ThreadItem], Any], Coroutine[Any, Any, None]]
    told = server.handle_stream_cancelled

    async def handle(thread: ThreadMetadata, pending_items: list[ThreadItem], context: Any) -> None:
        if current_run().open:
            await told(thread, pending_items, context)

    server.handle_stream_cancelled = handle  # type: ignore[method-assign]
