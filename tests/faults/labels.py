"""Names for effects and conversations that no two tests share."""

import itertools

_numbers = itertools.count(1)


def label(name: str) -> str:
    """`name` with a number of its own, and a letter so that no label begins another."""
    return f"{name}{next(_numbers)}x"
