"""What may end a run that took all it may, and what its user reads then: worker and API say it in the same words."""

from enum import StrEnum


class Bound(StrEnum):
    """The bound that ended a run: the `code` of its error."""

    DEADLINE = "deadline"
    TURNS = "max-turns"
    TOOL_CALLS = "max-tool-calls"
    TOOL_TIMEOUT = "tool-timeout"

    @property
    def sentence(self) -> str:
        """For the user to read."""
        return _SENTENCES[self]


_SENTENCES = {
    Bound.DEADLINE: "This answer took too long and was ended.",
    Bound.TURNS: "This answer took more steps than one answer may take and was ended.",
    Bound.TOOL_CALLS: "This answer used its tools more often than one answer may and was ended.",
    Bound.TOOL_TIMEOUT: "A tool took too long, and this answer was ended.",
}
