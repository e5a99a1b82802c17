"""Folding gives what a client shows: the same as the SDK's own bookkeeping, for any sequence of events."""

import json
from typing import Any

from chatkit.server import ChatKitServer
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomTask,
    GeneratedImage,
    GeneratedImageItem,
    ProgressUpdateEvent,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    URLSource,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.fold import Fold, item_event, removed_event
from shared.records import Delta, End, Event, Record
from shared.wire import json_string, to_wire
from tests.rows import DAY
from tests.texts import storable

AT = {"thread_id": "thr_1", "created_at": DAY}


class Oracle(ChatKitServer[None]):
    """The SDK's server, for what it knows of items that are not done yet."""

    def respond(self, *_: Any) -> Any:
        raise NotImplementedError


class Story:
    """Random events of a run, valid ones only, and beside them what the SDK itself makes of each."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._next = 0
        self.open: dict[str, ThreadItem] = {}
        self.done: dict[str, ThreadItem] = {}
        self.records: list[Record] = []

    def tell(self) -> None:
        """One more event."""
        steps = [self._add, self._say_loose]
        steps += [self._update, self._update, self._update, self._finish, self._remove] if self.open else []
        steps += [self._replace, self._remove_done] if self.done else []
        self._draw(st.sampled_from(steps))()

    def _add(self) -> None:
        self._next += 1
        message = AssistantMessageItem(id=f"msg_{self._next}", content=[], **AT)
        workflow = WorkflowItem(id=f"wf_{self._next}", workflow=Workflow(type="custom", tasks=[]), **AT)
        call = ClientToolCallItem(id=f"tc_{self._next}", call_id="c", name="n", arguments={"a": [1, None]}, **AT)
        item = self._draw(st.sampled_from([message, workflow, call]))
        self.open[item.id] = item
        self._say(ThreadItemAddedEvent(item=item))

    def _update(self) -> None:
        item = self._draw(st.sampled_from(list(self.open.values())))
        match item:
            case AssistantMessageItem():
                self._say_updated(item, self._part_update(item))
            case WorkflowItem():
                self._say_updated(item, self._task_update(item))
            case _:
                self._say_loose()

    def _part_update(self, item: AssistantMessageItem) -> Any:
        index = self._draw(st.integers(0, len(item.content)))
        content = AssistantMessageContent(text=self._draw(storable))
        kind = self._draw(st.sampled_from(["added", "delta", "delta", "delta", "annotation", "done"]))
        match kind:
            case "added":
                return AssistantMessageContentPartAdded(content_index=index, content=content)
            case "delta":
                return AssistantMessageContentPartTextDelta(content_index=index, delta=content.text)
            case "done":
                return AssistantMessageContentPartDone(content_index=index, content=content)
            case _:
                count = len(item.content[index].annotations) if index < len(item.content) else 0
                note = Annotation(source=URLSource(title="t", url="https://a.example"), index=count)
                at = {"content_index": index, "annotation_index": self._draw(st.integers(0, count))}
                return AssistantMessageContentPartAnnotationAdded(**at, annotation=note)

    def _task_update(self, item: WorkflowItem) -> Any:
        tasks, task = item.workflow.tasks, CustomTask(title=self._draw(storable))
        if tasks and self._draw(st.booleans()):
            return WorkflowTaskUpdated(task=task, task_index=self._draw(st.integers(0, len(tasks) - 1)))
        return WorkflowTaskAdded(task=task, task_index=len(tasks))

    def _finish(self) -> None:
        item = self.open.pop(self._draw(st.sampled_from(list(self.open))))
        self.done[item.id] = item
        self._say(ThreadItemDoneEvent(item=item))

    def _replace(self) -> None:
        item = self._draw(st.sampled_from(list(self.done.values())))
        self.done[item.id] = new = AssistantMessageItem(id=item.id, content=[], **AT)
        self._say(ThreadItemReplacedEvent(item=new))

    def _remove(self) -> None:
        self._say(ThreadItemRemovedEvent(item_id=self.open.pop(self._draw(st.sampled_from(list(self.open)))).id))

    def _remove_done(self) -> None:
        self._say(ThreadItemRemovedEvent(item_id=self.done.pop(self._draw(st.sampled_from(list(self.done)))).id))

    def _say_loose(self) -> None:
        self._say(ProgressUpdateEvent(text="working"))

    def _say_updated(self, item: ThreadItem, update: Any) -> None:
        event = ThreadItemUpdatedEvent(item_id=item.id, update=update)
        if isinstance(update, AssistantMessageContentPartTextDelta) and self._draw(st.booleans()):
            self.records.append(Delta(item.id, update.content_index, json_string(update.delta)))
        else:
            self._say(event)
        Oracle(None)._update_pending_items(self.open, event.model_copy(deep=True))  # type: ignore[arg-type]

    def _say(self, event: ThreadStreamEvent) -> None:
        self.records.append(Event(to_wire(event)))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    story = Story(draw)
    for _ in range(draw(st.integers(0, 25))):
        story.tell()
    return story


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
