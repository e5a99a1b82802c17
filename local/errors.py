"""The one error of the whole system on one machine."""


class CannotRun(Exception):
    """Something outside this program stands in the way; its text is one sentence for whoever started us."""
