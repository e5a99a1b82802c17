"""Folding gives what a client shows: the same as the SDK's own bookkeeping, for any sequence of events."""

import json
from typing import Any

from chatkit.types import GeneratedImage, GeneratedImageItem, ThreadItem, ThreadItemAddedEvent
from hypothesis import given, settings

from shared.fold import Fold, item_event, removed_event
from shared.records import Delta, End, Event, Record
from shared.wire import to_wire
from tests.stories import AT, Story, stories


def folded(records: list[Record]) -> Fold:
    fold = Fold()
    for record in records:
        fold.apply(record)
    return fold


def plain(items: dict[str, ThreadItem]) -> dict[str, Any]:
    return {item_id: json.loads(to_wire(item)) for item_id, item in items.items()}


def by_id(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {item["id"]: item for item in items}


def message(text: str, item_id: str = "msg_1") -> dict[str, Any]:
    content = [{"annotations": [], "text": text, "type": "output_text"}]
    return {"id": item_id, "type": "assistant_message", "content": content}


def updated(item_id: str, **update: Any) -> Event:
    return Event(json.dumps({"type": "thread.item.updated", "item_id": item_id, "update": update}).encode())


@given(stories())
@settings(max_examples=60, deadline=None)
def test_what_is_shown_is_what_the_sdk_would_have_stored(story: Story) -> None:
    fold = folded(story.records)
    assert by_id(fold.done()) == plain(story.done)
    assert {item_id: fold.item(item_id) for item_id in fold.open_ids()} == plain(story.open)


@given(stories())
@settings(max_examples=40, deadline=None)
def test_a_snapshot_shows_a_newcomer_the_same(story: Story) -> None:
    fold = folded(story.records)
    again = folded(list(fold.snapshot()))
    assert again.items() == fold.items()
    assert again.open_ids() == fold.open_ids()


def test_items_keep_the_order_of_their_first_appearance() -> None:
    fold = folded([item_event("thread.item.added", message("", name)) for name in ("a", "b")])
    fold.apply(item_event("thread.item.done", message("x", "b")))
    fold.apply(item_event("thread.item.done", message("y", "a")))
    assert fold.ids() == ["a", "b"]


def test_an_update_of_an_item_that_is_not_shown_changes_nothing() -> None:
    fold = folded([Delta("msg_9", 0, b'"x"'), updated("msg_9", type="widget.root.updated", widget={})])
    assert (fold.items(), fold.shows("msg_9")) == ([], False)
    fold.apply(removed_event("msg_9"))
    assert fold.items() == []


def test_a_widget_grows_where_its_component_stands() -> None:
    widget = {"type": "Card", "children": [{"type": "Row", "children": [{"type": "Text", "id": "t", "value": "one"}]}]}
    fold = folded([item_event("thread.item.added", {"id": "w", "type": "widget", "widget": widget})])
    fold.apply(updated("w", type="widget.streaming_text.value_delta", component_id="t", delta=" two", done=False))
    assert fold.item("w")["widget"]["children"][0]["children"][0]["value"] == "one two"
    component = {"type": "Text", "id": "t", "value": "new"}
    fold.apply(updated("w", type="widget.component.updated", component_id="t", component=component))
    assert fold.item("w")["widget"] == {"type": "Card", "children": [{"type": "Row", "children": [component]}]}
    fold.apply(updated("w", type="widget.component.updated", component_id="nobody", component={"id": "x"}))
    fold.apply(updated("w", type="widget.streaming_text.value_delta", component_id="nobody", delta="x", done=True))
    assert fold.item("w")["widget"]["children"][0]["children"] == [component]
    fold.apply(updated("w", type="widget.root.updated", widget={"type": "Text", "value": "all"}))
    assert fold.item("w")["widget"] == {"type": "Text", "value": "all"}


def test_a_generated_image_is_the_last_one_sent() -> None:
    image = GeneratedImage(id="i", url="data:,2")
    fold = folded([Event(to_wire(ThreadItemAddedEvent(item=GeneratedImageItem(id="img", **AT))))])
    fold.apply(updated("img", type="generated_image.updated", image=image.model_dump(), progress=0.5))
    assert fold.item("img")["image"] == {"id": "i", "url": "data:,2"}


def test_what_belongs_to_no_item_is_counted() -> None:
    progress, frame = b'{"type":"progress_update","text":"x"}', b'{"type":"tool_call"}'
    fold = folded([Event(progress), Event(progress, (b"{}",)), Event(b"", (frame, frame)), removed_event("x")])
    assert dict(fold.loose) == {progress: 2, frame: 2}


def test_an_error_and_the_end_are_remembered() -> None:
    fold = folded([Event(b'{"type":"error"}'), End("failed")])
    assert (fold.error, fold.status) == (True, "failed")
    assert (Fold().error, Fold().status) == (False, None)


def test_a_thousand_deltas_are_put_together_in_order() -> None:
    fold = folded([item_event("thread.item.added", {"id": "m", "type": "assistant_message", "content": []})])
    for number in range(1000):
        fold.apply(Delta("m", number % 2, b'"%d "' % number))
    first, second = (part["text"].split() for part in fold.item("m")["content"])
    assert (first, second) == ([str(n) for n in range(0, 1000, 2)], [str(n) for n in range(1, 1000, 2)])
