"""The simple dialect is told every text once, whichever way ChatKit says it."""

import json
from typing import Any

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartAdded,
    AssistantMessageContentPartDone,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomTask,
    ErrorEvent,
    NoticeEvent,
    ThoughtTask,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    ThreadStreamEvent,
    Workflow,
    WorkflowItem,
    WorkflowTaskAdded,
    WorkflowTaskUpdated,
)
from hypothesis import given
from hypothesis import strategies as st

from shared.simple import STREAM_ERROR_MESSAGE
from tests.rows import DAY
from tests.texts import storable
from worker.narration import Narration

AT = {"thread_id": "thr_1", "created_at": DAY}


def message(*texts: str) -> AssistantMessageItem:
    return AssistantMessageItem(id="m", content=[AssistantMessageContent(text=text) for text in texts], **AT)


def workflow(*tasks: Any) -> WorkflowItem:
    return WorkflowItem(id="w", workflow=Workflow(type="reasoning", tasks=list(tasks)), **AT)


def update(item_id: str, update: Any) -> ThreadStreamEvent:
    return ThreadItemUpdatedEvent(item_id=item_id, update=update)


def delta(text: str) -> ThreadStreamEvent:
    return update("m", AssistantMessageContentPartTextDelta(content_index=0, delta=text))


def told(*events: ThreadStreamEvent) -> list[tuple[Any, ...]]:
    narration = Narration()
    frames = [json.loads(frame) for event in events for frame in narration.frames(event)]
    return [tuple(frame.values()) for frame in frames]


def heard(frames: list[tuple[Any, ...]]) -> str:
    """What a reader of the dialect ends up with."""
    text = ""
    for kind, *rest in frames:
        text = text + rest[0] if kind == "text" else "" if kind == "retract" else text
    return text


def test_a_message_that_comes_whole_is_told_whole() -> None:
    assert told(ThreadItemDoneEvent(item=message("one ", "two"))) == [("text", "one two")]


def test_a_message_told_word_by_word_is_not_told_again_at_its_end() -> None:
    frames = told(
        ThreadItemAddedEvent(item=message()), delta("one "), delta("two"), ThreadItemDoneEvent(item=message("one two"))
    )
    assert frames == [("text", "one "), ("text", "two")]


def test_what_the_end_adds_is_told_and_what_it_changes_is_told_anew() -> None:
    assert told(delta("one"), ThreadItemDoneEvent(item=message("one two"))) == [("text", "one"), ("text", " two")]
    frames = told(delta("one"), ThreadItemDoneEvent(item=message("other")))
    assert frames == [("text", "one"), ("retract",), ("text", "other")]
    assert told(delta("one two"), ThreadItemDoneEvent(item=message("one")))[1:] == [("retract",), ("text", "one")]


def test_parts_that_come_whole_are_told() -> None:
    content = AssistantMessageContent(text="one")
    assert told(update("m", AssistantMessageContentPartAdded(content_index=0, content=content))) == [("text", "one")]
    assert told(update("m", AssistantMessageContentPartDone(content_index=0, content=content))) == [("text", "one")]


@given(st.lists(storable), storable)
def test_whatever_was_told_before_the_reader_ends_up_with_the_last_word(deltas: list[str], last: str) -> None:
    assert heard(told(*map(delta, deltas), ThreadItemDoneEvent(item=message(last)))) == last


def test_a_removed_message_is_taken_back_if_it_was_told() -> None:
    assert told(delta("one"), ThreadItemRemovedEvent(item_id="m"))[-1] == ("retract",)
    assert told(ThreadItemAddedEvent(item=message()), ThreadItemRemovedEvent(item_id="m")) == []
    assert told(ThreadItemRemovedEvent(item_id="unknown")) == []


def test_thoughts_are_told_as_they_grow() -> None:
    first, grown = ThoughtTask(content="Let me"), ThoughtTask(content="Let me see")
    frames = told(
        ThreadItemAddedEvent(item=workflow(first)),
        update("w", WorkflowTaskUpdated(task=grown, task_index=0)),
        update("w", WorkflowTaskAdded(task=ThoughtTask(content="Ah."), task_index=1)),
        ThreadItemDoneEvent(item=workflow(grown, ThoughtTask(content="Ah."))),
    )
    assert frames == [("thinking", "Let me"), ("thinking", " see"), ("thinking", "Ah.")]


def test_a_task_that_is_no_thought_is_not_told() -> None:
    """The runner tells tool calls, with their arguments and results."""
    assert told(ThreadItemAddedEvent(item=workflow(CustomTask(title="Add a task")))) == []


def test_a_call_of_the_clients_own_tool_is_told() -> None:
    call = ClientToolCallItem(id="tc", call_id="c", name="open", arguments={"url": "x"}, **AT)
    assert told(ThreadItemDoneEvent(item=call)) == [("tool_call", "open", {"url": "x"})]


def test_an_error_is_told_in_its_own_words_or_in_ours() -> None:
    assert told(ErrorEvent(message="Not today.")) == [("error", "Not today.")]
    assert told(ErrorEvent()) == [("error", STREAM_ERROR_MESSAGE)]


def test_what_the_dialect_has_no_word_for_is_left_out() -> None:
    assert told(NoticeEvent(level="info", message="x")) == []
