"""What the simple dialect is told of each ChatKit event, where a text delta does not say it already."""

from chatkit.types import (
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    ErrorEvent,
    ThoughtTask,
    ThreadItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)

from shared.simple import STREAM_ERROR_MESSAGE, frame


class Narration:
    """One run's tale so far: which text of which item a reader of the simple dialect has been told."""

    def __init__(self) -> None:
        self._told: dict[str, list[str]] = {}
        self._thoughts: dict[tuple[str, int], str] = {}

    def frames(self, event: ThreadStreamEvent) -> tuple[bytes, ...]:
        """The frames beside this event. A text delta is told by itself: see `told`."""
        match event:
            case ThreadItemAddedEvent(item=item):
                return self._item(item)
            case ThreadItemUpdatedEvent(item_id=item_id, update=update):
                return self._update(item_id, update)
            case ThreadItemDoneEvent(item=item):
                frames = self._item(item, whole=True)
                self._told.pop(item.id, None)
                return frames
            case ThreadItemRemovedEvent(item_id=item_id):
                return (frame(type="retract"),) if any(self._told.pop(item_id, ())) else ()
            case ErrorEvent(message=message):
                return (frame(type="error", message=message or STREAM_ERROR_MESSAGE),)
            case _:
                return ()

    def told(self, item_id: str, text: str) -> None:
        """A delta of this item went out on its own."""
        self._told.setdefault(item_id, []).append(text)

    def _item(self, item: ThreadItem, *, whole: bool = False) -> tuple[bytes, ...]:
        match item:
            case AssistantMessageItem():
                return self._text(item.id, "".join(part.text for part in item.content), whole=whole)
            case WorkflowItem():
                thoughts = (self._thought(item.id, index, task) for index, task in enumerate(item.workflow.tasks))
                return tuple(frame for frames in thoughts for frame in frames)
            case ClientToolCallItem(name=name, arguments=arguments):
                return (frame(type="tool_call", name=name, args=arguments),)
            case _:
                return ()

    def _update(self, item_id: str, update: object) -> tuple[bytes, ...]:
        match update:
            case AssistantMessageContentPartAdded(content=content, content_index=0):
                return self._text(item_id, content.text)
            case AssistantMessageContentPartTextDelta(delta=delta):
                self.told(item_id, delta)
                return (frame(type="text", content=delta),)
            case AssistantMessageContentPartDone(content=content, content_index=0):
                return self._text(item_id, content.text)
            case WorkflowTaskAdded(task=task, task_index=index) | WorkflowTaskUpdated(task=task, task_index=index):
                return self._thought(item_id, index, task)
            case _:
                return ()

    def _text(self, item_id: str, text: str, *, whole: bool = False) -> tuple[bytes, ...]:
        """Tell what of the text is new; take back what was told if it reads differently now, or was too much."""
        told = "".join(self._told.get(item_id, ()))
        if told == text or (not whole and told.startswith(text)):
            return ()
        self._told[item_id] = [text]
        if text.startswith(told):
            return (frame(type="text", content=text[len(told) :]),)
        return (frame(type="retract"), *((frame(type="text", content=text),) if text else ()))

    def _thought(self, item_id: str, index: int, task: object) -> tuple[bytes, ...]:
        if not isinstance(task, ThoughtTask):
            return ()
        told = self._thoughts.get((item_id, index), "")
        self._thoughts[item_id, index] = task.content
        new = task.content[len(told) :] if task.content.startswith(told) else task.content
        return (frame(type="thinking", content=new),) if new else ()
