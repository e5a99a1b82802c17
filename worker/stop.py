"""Why an attempt is stopped: the reason decides what may still be written."""

from enum import Enum


class StopReason(Enum):
    """Only USER ends the run as cancelled; the others end the attempt, or fail the run."""

    USER = "user"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"
    LEASE_LOST = "lease lost"
