"""Random events of a run, valid ones only, and beside them what the SDK itself makes of each."""

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
from hypothesis import strategies as st

from shared.records import Delta, Event, Record
from shared.wire import json_string, to_wire
from tests.rows import DAY
from tests.texts import storable

AT = {"thread_id": "thr_1", "created_at": DAY}


class Oracle(ChatKitServer[None]):
    """The SDK's server, for what it knows of items that are not done yet."""

    def respond(self, *_: Any) -> Any:
        raise NotImplementedError


class Story:
    """Each `tell` is one more event: as an object in `events`, as the log keeps it in `records`."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._next = 0
        self.open: dict[str, ThreadItem] = {}
        self.done: dict[str, ThreadItem] = {}
        self.records: list[Record] = []
        self.events: list[ThreadStreamEvent] = []

    def tell(self) -> None:
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
            self.events.append(event.model_copy(deep=True))
            self.records.append(Delta(item.id, update.content_index, json_string(update.delta)))
        else:
            self._say(event)
        Oracle(None)._update_pending_items(self.open, event.model_copy(deep=True))  # type: ignore[arg-type]

    def _say(self, event: ThreadStreamEvent) -> None:
        self.events.append(event.model_copy(deep=True))
        self.records.append(Event(to_wire(event)))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A run of up to 25 events."""
    story = Story(draw)
    for _ in range(draw(st.integers(0, 25))):
        story.tell()
    return story
