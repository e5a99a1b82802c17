"""The conformance suite: every walk against a backend, and the table of what holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.contract.walk import WALKS, Backend, Walk
from tests.contract.walks import beyond, desk, shop, threads

ORDER = [module.__name__ for module in (threads, shop, desk, beyond)]

WALKS.sort(key=lambda one: ORDER.index(one.steps.__module__))


@dataclass(frozen=True)
class Finding:
    """What came of one walk: `reason` is None where it holds, and says what does not where it does not."""

    walk: Walk
    reason: str | None


def walks_for(backend: Backend) -> list[Walk]:
    """The walks that this backend's server can be asked for."""
    return [one for one in WALKS if one.suits(backend)]


def findings(backend: Backend) -> Iterator[Finding]:
    """Walk them all."""
    for one in walks_for(backend):
        yield Finding(one, reason(one, backend))


def reason(one: Walk, backend: Backend) -> str | None:
    """Why the walk does not hold; None where it does."""
    try:
        one.steps(backend)
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0][:200].removeprefix("AssertionError: ")
    return None


def table(columns: Sequence[tuple[str, Sequence[Finding]]]) -> str:
    """The findings side by side, as Markdown; the reasons below."""
    held = {name: {finding.walk.sentence: finding for finding in found} for name, found in columns}
    sentences = [one for one in WALKS if any(one.sentence in found for found in held.values())]
    lines = ["| | " + " | ".join(held) + " |", "| --- |" + " --- |" * len(held)]
    for is_beyond in (False, True):
        chosen = [one for one in sentences if one.beyond is is_beyond]
        if is_beyond and chosen:
            lines.append("| **beyond the protocol** |" + " |" * len(held))
        for one in chosen:
            marks = [_mark(found.get(one.sentence)) for found in held.values()]
            lines.append(f"| {one.sentence} | " + " | ".join(marks) + " |")
    reasons = [
        f"{name}: {finding.walk.sentence}: {finding.reason}"
        for name, found in columns
        for finding in found
        if finding.reason is not None
    ]
    return "\n".join([*lines, *(["", *reasons] if reasons else [])])


def _mark(finding: Finding | None) -> str:
    if finding is None:
        return "–"
    return "yes" if finding.reason is None else "**no**"
