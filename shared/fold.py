"""Folding a run's events: what a client that has seen them all is showing.

The same fold serves a snapshot after Redis lost the log, the closing of what a run left open, the retraction
of what a dead attempt half-showed, a page that comes back in mid-answer, and the tests that compare a stream
with the stored messages (promise P2).
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from shared.records import Delta, End, Event, Record
from shared.simple import frame

Item = dict[str, Any]


@dataclass(slots=True)
class Shown:
    """One item as a client shows it; `open` until it is done."""

    item: Item
    open: bool
    _pending: list[tuple[int, bytes]] = field(default_factory=list)

    def extend(self, content_index: int, text: bytes) -> None:
        """Append text, a JSON string literal, to one part of the content; read when next looked at."""
        self._pending.append((content_index, text))

    def settled(self) -> Item:
        """The item with everything appended so far."""
        if self._pending:
            parts: dict[int, list[bytes]] = {}
            for index, text in self._pending:
                parts.setdefault(index, []).append(text)
            self._pending.clear()
            for index, texts in parts.items():
                _part(self.item, index)["text"] += "".join(json.loads(b"[%b]" % b",".join(texts)))
        return self.item


class Fold:
    """Items by id in the order of their first appearance; give it every record of a run in order."""

    def __init__(self) -> None:
        self._shown: dict[str, Shown] = {}
        self.error = False
        self.loose: Counter[bytes] = Counter()
        """How often each event or frame was said that belongs to no item."""
        self.status: str | None = None

    def apply(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case Delta(item_id, content_index, text):
                if shown := self._shown.get(item_id):
                    shown.extend(content_index, text)
            case Event(chatkit) if chatkit:
                event = json.loads(chatkit)
                self._event(event)
                if not event["type"].startswith("thread.item."):
                    self.loose[chatkit] += 1
            case Event(_, simple):
                self.loose.update(simple)
            case End(status):
                self.status = status
            case _:
                pass

    def items(self) -> list[Item]:
        """Every item now shown, open ones with what they have so far."""
        return [shown.settled() for shown in self._shown.values()]

    def ids(self) -> list[str]:
        """The ids of all items now shown."""
        return list(self._shown)

    def shows(self, item_id: str) -> bool:
        """Whether the item is on the screen."""
        return item_id in self._shown

    def is_open(self, item_id: str) -> bool:
        """Whether the item was begun and is not done."""
        return self._shown[item_id].open

    def item(self, item_id: str) -> Item:
        """One of them, by its id."""
        return self._shown[item_id].settled()

    def done(self) -> list[Item]:
        """The items that are complete."""
        return [shown.settled() for shown in self._shown.values() if not shown.open]

    def open_ids(self) -> list[str]:
        """The items that were added and neither done nor removed."""
        return [item_id for item_id, shown in self._shown.items() if shown.open]

    def snapshot(self) -> list[Event]:
        """Events that show a newcomer the same: `done` for what is done, `added` with the text so far for the rest."""
        return [_again(shown) for shown in self._shown.values()]

    def _event(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "thread.item.added":
                self._shown[event["item"]["id"]] = Shown(event["item"], open=True)
            case "thread.item.done" | "thread.item.replaced":
                self._shown[event["item"]["id"]] = Shown(event["item"], open=False)
            case "thread.item.removed":
                self._shown.pop(event["item_id"], None)
            case "thread.item.updated":
                if shown := self._shown.get(event["item_id"]):
                    _update(shown.settled(), event["update"])
            case "error":
                self.error = True


def _again(shown: Shown) -> Event:
    """One item of a snapshot, its text told to those who need it."""
    item = shown.settled()
    event = item_event("thread.item.added" if shown.open else "thread.item.done", item)
    return Event(event.chatkit, told_text(item, again=shown.open), again=not shown.open)


def told_text(item: Item, *, again: bool) -> tuple[bytes, ...]:
    """An assistant message's text for the simple dialect; `again` takes what was told of it back first."""
    if item["type"] != "assistant_message":
        return ()
    text = "".join(part.get("text", "") for part in item.get("content", []))
    retract = (frame(type="retract"),) if again else ()
    return (*retract, frame(type="text", content=text)) if text else ()


def item_event(kind: str, item: Item) -> Event:
    """The event `kind` (`thread.item.added`, `.done`, `.replaced`) of an item that is plain JSON."""
    return Event(json.dumps({"type": kind, "item": item}, ensure_ascii=False, separators=(",", ":")).encode())


def removed_event(item_id: str) -> Event:
    """The event that takes an item off the screen."""
    return Event(json.dumps({"type": "thread.item.removed", "item_id": item_id}, separators=(",", ":")).encode())


def _part(item: Item, index: int) -> dict[str, Any]:
    content: list[dict[str, Any]] = item.setdefault("content", [])
    while len(content) <= index:
        content.append({"annotations": [], "text": "", "type": "output_text"})
    return content[index]


def _update(item: Item, update: dict[str, Any]) -> None:
    match update["type"]:
        case "assistant_message.content_part.added" | "assistant_message.content_part.done":
            _part(item, update["content_index"])
            item["content"][update["content_index"]] = update["content"]
        case "assistant_message.content_part.text_delta":
            _part(item, update["content_index"])["text"] += update["delta"]
        case "assistant_message.content_part.annotation_added":
            annotations = _part(item, update["content_index"]).setdefault("annotations", [])
            annotations.insert(update["annotation_index"], update["annotation"])
        case "workflow.task.added" | "workflow.task.updated":
            # The SDK serialises a workflow after it has grown: a task may have been in `added` already.
            item["workflow"]["tasks"][update["task_index"] : update["task_index"] + 1] = [update["task"]]
        case "widget.root.updated":
            item["widget"] = update["widget"]
        case "widget.component.updated":
            item["widget"] = _with_component(item["widget"], update["component_id"], update["component"])
        case "widget.streaming_text.value_delta":
            if component := _component(item["widget"], update["component_id"]):
                component["value"] = component.get("value", "") + update["delta"]
        case "generated_image.updated":
            item["image"] = update["image"]


def _component(node: Any, component_id: str) -> dict[str, Any] | None:
    """The widget component with this id, wherever in the tree."""
    children = node if isinstance(node, list) else list(node.values()) if isinstance(node, dict) else []
    if isinstance(node, dict) and node.get("id") == component_id:
        return node
    return next((found for child in children if (found := _component(child, component_id)) is not None), None)


def _with_component(node: Any, component_id: str, component: dict[str, Any]) -> Any:
    """The widget with one component put in the place of the one that has its id."""
    if isinstance(node, list):
        return [_with_component(child, component_id, component) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("id") == component_id:
        return component
    return {key: _with_component(child, component_id, component) for key, child in node.items()}
