"""A user's sentence, understood: one of a few intents."""

import re
from collections.abc import Callable
from dataclasses import dataclass

MAX_TASKS_AT_ONCE = 5
MAX_LENGTH = 500


@dataclass(frozen=True)
class Add:
    titles: tuple[str, ...]


@dataclass(frozen=True)
class Show:
    pass


@dataclass(frozen=True)
class Complete:
    title: str


@dataclass(frozen=True)
class Delete:
    title: str


@dataclass(frozen=True)
class Rename:
    """Titles may hold a "to" themselves: every way to part the sentence, the likeliest first."""

    readings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Story:
    pass


@dataclass(frozen=True)
class Think:
    about: str


@dataclass(frozen=True)
class Other:
    """Anything else."""


Intent = Add | Show | Complete | Delete | Rename | Story | Think | Other

_COURTESY = re.compile(
    r"^(?:hi|hello|hey|ok|okay|so|and|now|please|(?:can|could|would|will) you|i(?:'d| would) like (?:you )?to)"
    r"\b[,!.]?\s+",
    re.I,
)
_LIST = r"(?:list|tasks?|to-?dos?)"
_TO_MY_LIST = re.compile(rf"\s+(?:(?:to|on|onto|from|off|in)\s+(?:my|the)(?:\s+\S+)?\s+{_LIST}|please|for me)$", re.I)
_AS_DONE = re.compile(r"\s+(?:as\s+)?(?:done|complete|completed|finished)$", re.I)
_THE_TASK = re.compile(r"^(?:(?:the|my)\s+)?(?:task|to-?do|item)\s+|^(?:off|with|about)\s+", re.I)


def understand(sentence: str) -> Intent:
    """What the sentence asks for, case and courtesy aside. Never raises."""
    text = " ".join(sentence[:MAX_LENGTH].split())
    while (shorter := _COURTESY.sub("", text, count=1).rstrip(" .!?")) != text:
        text = shorter
    for pattern, intent in _RULES:
        if found := pattern.match(text):
            return intent(found[1])
    return Story() if re.search(r"\b(?:story|tale)\b", text, re.I) else Other()


def _add_one(title: str) -> Intent:
    title = _title(re.sub(r"^(?:to|called|named|that i)\s+", "", title.strip(" :,-"), flags=re.I))
    return Add((title,)) if title else Other()


def _add_some(titles: str) -> Intent:
    """ "milk, bread and eggs" is three tasks, a quoted text is one."""
    quoted = titles[0] in "\"'“«"
    parts = [titles] if quoted else re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", _title(titles), flags=re.I)
    found = tuple(title for part in parts if (title := _title(part)))
    return Add(found[:MAX_TASKS_AT_ONCE]) if found else Other()


def _complete(title: str) -> Intent:
    return Complete(_title(_AS_DONE.sub("", title)))


def _rename(titles: str) -> Intent:
    ways = [(titles[: at.start()], titles[at.end() :]) for at in re.finditer(r"\s+(?:in)?to\s+", titles, re.I)]
    readings = tuple((_title(old), _title(new)) for old, new in ways if _title(old) and _title(new))
    return Rename(readings) if readings else Other()


def _title(text: str) -> str:
    return _THE_TASK.sub("", _TO_MY_LIST.sub("", text.strip())).strip(" \"'“”«».,:;")


def _rule(pattern: str, intent: Callable[[str], Intent]) -> tuple[re.Pattern[str], Callable[[str], Intent]]:
    return re.compile(pattern, re.I), intent


_RULES = (
    _rule(r"(?:rename|change|update|edit)\s+(.+)", _rename),
    _rule(r"think\s+(?:hard\s+)?(?:about|of|over)\s+(.+)", Think),
    _rule(
        r"(?:complete|finish|done|check|tick|mark|i(?:'ve|\s+have)?\s+(?:done|finished|completed))\s+(.+)", _complete
    ),
    _rule(r"(.+\s+is\s+(?:done|complete|completed|finished))$", lambda t: _complete(re.sub(r"\s+is\s+\S+$", "", t))),
    _rule(r"(?:delete|remove|drop|forget|cancel|erase)\s+(.+)", lambda title: Delete(_title(title))),
    _rule(r"(?:(?:add|create|make|new)\s+(?:an?\s+)?(?:new\s+)?(?:task|to-?do)\b|remind me\b)(.+)", _add_one),
    _rule(r"(?:add|put)\s+(.+)", _add_some),
    _rule(
        r"((?:what|show|list|see|which|do i|my|any)\b.*\b(?:list|tasks?|to-?dos?|to do|all|everything))\b",
        lambda _: Show(),
    ),
    _rule(r"(list|tasks|to-?dos?)$", lambda _: Show()),
)
