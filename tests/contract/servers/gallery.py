"""One of everything: each stream event and each thread item that ChatKit knows, as a server may yield them."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartAnnotationAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientEffectEvent,
    ClientToolCallItem,
    CustomTask,
    EndOfTurnItem,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    HiddenContextItem,
    NoticeEvent,
    ProgressUpdateEvent,
    SDKHiddenContextItem,
    StructuredInputFreeform,
    StructuredInputItem,
    TaskItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    URLSource,
    WidgetComponentUpdated,
    WidgetItem,
    WidgetRootUpdated,
    WidgetStreamingTextValueDelta,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from chatkit.widgets import Card, Text

SECRET = "what no client may read"


async def gallery(thread: ThreadMetadata) -> AsyncIterator[ThreadStreamEvent]:
    """Every event but `error` and every item, with every kind of update."""

    def base(name: str) -> dict[str, Any]:
        return {"id": f"{name}_{thread.id}", "thread_id": thread.id, "created_at": datetime.now()}

    yield ProgressUpdateEvent(text="Hanging the pictures", icon="search")
    yield NoticeEvent(level="info", message="The **gallery** is open.", title="Welcome")
    yield ClientEffectEvent(name="lights", data={"on": True})
    for events in (_message, _workflow, _widget, _image):
        for event in events(base):
            yield event
    task = CustomTask(title="Sweep", status_indicator="complete")
    yield ThreadItemDoneEvent(item=TaskItem(task=task, **base("tsk")))
    yield ThreadItemAddedEvent(item=AssistantMessageItem(content=[], **base("gone")))
    yield ThreadItemRemovedEvent(item_id=base("gone")["id"])
    yield ThreadItemDoneEvent(item=HiddenContextItem(content={"note": SECRET}, **base("hid")))
    yield ThreadItemDoneEvent(item=SDKHiddenContextItem(content=SECRET, **base("shcx")))
    done_call = {"status": "completed", "call_id": "call_1", "name": "ring", "arguments": {"n": 1}, "output": {"ok": 1}}
    yield ThreadItemDoneEvent(item=ClientToolCallItem(**done_call, **base("tc")))
    thread.title = "Gallery"
    question = StructuredInputFreeform(id="q", question="Did you like it?")
    yield ThreadItemDoneEvent(item=StructuredInputItem(inputs=[question], **base("si")))
    yield ThreadItemDoneEvent(item=EndOfTurnItem(**base("eot")))


def _message(base: Any) -> list[ThreadStreamEvent]:
    item = AssistantMessageItem(content=[], **base("msg"))
    source = URLSource(url="https://example.com/", title="A source")
    note = Annotation(source=source, index=4)
    whole = AssistantMessageContent(text="Look here.", annotations=[note])
    updates = [
        AssistantMessageContentPartAdded(content_index=0, content=AssistantMessageContent(text="")),
        AssistantMessageContentPartTextDelta(content_index=0, delta="Look "),
        AssistantMessageContentPartTextDelta(content_index=0, delta='"here" \u2028 ✓'),
        AssistantMessageContentPartAnnotationAdded(content_index=0, annotation_index=0, annotation=note),
        AssistantMessageContentPartDone(content_index=0, content=whole),
    ]
    done = item.model_copy(update={"content": [whole]})
    return [ThreadItemAddedEvent(item=item), *_updated(item.id, updates), ThreadItemDoneEvent(item=done)]


def _workflow(base: Any) -> list[ThreadStreamEvent]:
    item = WorkflowItem(workflow=Workflow(type="custom", tasks=[]), **base("wf"))
    loading, done = CustomTask(title="Hang", status_indicator="loading"), CustomTask(title="Hang")
    finished = item.model_copy(update={"workflow": Workflow(type="custom", tasks=[done])})
    updates = [WorkflowTaskAdded(task_index=0, task=loading), WorkflowTaskUpdated(task_index=0, task=done)]
    return [ThreadItemAddedEvent(item=item), *_updated(item.id, updates), ThreadItemDoneEvent(item=finished)]


def _widget(base: Any) -> list[ThreadStreamEvent]:
    def card(value: str) -> Card:
        return Card(children=[Text(id="t", value=value, streaming=True)])

    item = WidgetItem(widget=card(""), **base("wdg"))
    updates = [
        WidgetStreamingTextValueDelta(component_id="t", delta="On", done=False),
        WidgetComponentUpdated(component_id="t", component=Text(id="t", value="Once")),
        WidgetRootUpdated(widget=card("Once more")),
    ]
    done = item.model_copy(update={"widget": card("Once more")})
    replaced = item.model_copy(update={"widget": card("And again"), "copy_text": "And again"})
    return [
        ThreadItemAddedEvent(item=item),
        *_updated(item.id, updates),
        ThreadItemDoneEvent(item=done),
        ThreadItemReplacedEvent(item=replaced),
    ]


def _image(base: Any) -> list[ThreadStreamEvent]:
    item = GeneratedImageItem(**base("img"))
    half, whole = (GeneratedImage(id="i", url=f"data:image/png;base64,{data}") for data in ("AA==", "AAAA"))
    updates = [GeneratedImageUpdated(image=half, progress=0.5)]
    done = item.model_copy(update={"image": whole})
    return [ThreadItemAddedEvent(item=item), *_updated(item.id, updates), ThreadItemDoneEvent(item=done)]


def _updated(item_id: str, updates: list[Any]) -> list[ThreadStreamEvent]:
    return [ThreadItemUpdatedEvent(item_id=item_id, update=update) for update in updates]
