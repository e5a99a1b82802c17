"""What the scripted model knows of a conversation: the input items it is given, and nothing else."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from agents.items import TResponseInputItem

_ASIDES = (
    "<",
    "#",
    "A message was displayed",
    "The following",
    "The user is referring",
)
"""How the messages begin that ChatKit's converter adds in the user's name."""


@dataclass(frozen=True)
class Step:
    """A tool call of this turn with its result, None where there is none that can be read."""

    tool: str
    arguments: Mapping[str, Any]
    result: Any


@dataclass(frozen=True)
class Conversation:
    sentence: str
    """What the user said last."""
    steps: tuple[Step, ...]
    """What has been done about it so far."""
    is_new: bool
    """Nothing has been answered yet."""


def read(conversation: str | list[TResponseInputItem]) -> Conversation:
    """Finds the last sentence and the steps taken since. Unknown items are passed over."""
    if isinstance(conversation, str):
        return Conversation(conversation, (), is_new=True)
    items = [cast(Mapping[str, Any], item) for item in conversation]
    spoken = [(n, text) for n, item in enumerate(items) if (text := _said_by_user(item))]
    last, sentence = spoken[-1] if spoken else (0, "")
    is_new = not any(item.get("role") == "assistant" for item in items)
    return Conversation(sentence, tuple(_steps(items[last:])), is_new)


def _said_by_user(item: Mapping[str, Any]) -> str:
    text = _text(item.get("content")).strip() if item.get("role") == "user" else ""
    return "" if text.startswith(_ASIDES) else text


def _steps(items: list[Mapping[str, Any]]) -> Iterable[Step]:
    results = {item.get("call_id"): item for item in items if item.get("type") == "function_call_output"}
    for item in items:
        if item.get("type") == "function_call" and item.get("call_id") in results:
            result = _parsed(_text(results[item["call_id"]].get("output")))
            yield Step(str(item.get("name")), _parsed(item.get("arguments")) or {}, result)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part["text"]) for part in parts if isinstance(part, Mapping) and "text" in part)


def _parsed(text: object) -> Any:
    try:
        return json.loads(str(text))
    except json.JSONDecodeError:
        return None
