"""A recorded model response, said again: the full raw sequence that a live one has, each text in one delta.

`response.completed` alone would show and store nothing: ChatKit's items are made from the events before it.
"""

from collections.abc import Iterator
from typing import Any, cast

from agents.items import TResponseStreamEvent
from openai.types import responses
from openai.types.responses.response_reasoning_summary_part_added_event import Part as AddedPart
from openai.types.responses.response_reasoning_summary_part_done_event import Part as DonePart


def replayed(response: responses.Response) -> Iterator[TResponseStreamEvent]:
    """The events of a whole response."""
    bare = response.model_copy(update={"output": []})
    yield responses.ResponseCreatedEvent(type="response.created", response=bare, sequence_number=0)
    for index, item in enumerate(response.output):
        yield from _item(item, index)
    yield responses.ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0)


def _item(item: responses.ResponseOutputItem, index: int) -> Iterator[TResponseStreamEvent]:
    place: dict[str, Any] = {"output_index": index, "sequence_number": 0}
    yield responses.ResponseOutputItemAddedEvent(type="response.output_item.added", item=_begun(item), **place)
    match item:
        case responses.ResponseOutputMessage():
            for part_index, part in enumerate(item.content):
                yield from _part(item.id, part, {**place, "content_index": part_index})
        case responses.ResponseFunctionToolCall():
            yield responses.ResponseFunctionCallArgumentsDeltaEvent(
                type="response.function_call_arguments.delta", item_id=item.id or "", delta=item.arguments, **place
            )
        case responses.ResponseReasoningItem():
            for summary_index, summary in enumerate(item.summary):
                yield from _summary(item.id, summary.text, {**place, "summary_index": summary_index})
        case _:
            pass
    yield responses.ResponseOutputItemDoneEvent(type="response.output_item.done", item=item, **place)


def _begun(item: responses.ResponseOutputItem) -> responses.ResponseOutputItem:
    """The item as it was when nothing of it had been said."""
    match item:
        case responses.ResponseOutputMessage():
            return item.model_copy(update={"content": [], "status": "in_progress"})
        case responses.ResponseFunctionToolCall():
            return item.model_copy(update={"arguments": ""})
        case responses.ResponseReasoningItem():
            return item.model_copy(update={"summary": []})
        case _:
            return item


def _part(
    item_id: str, part: responses.ResponseOutputText | responses.ResponseOutputRefusal, place: dict[str, Any]
) -> Iterator[TResponseStreamEvent]:
    at: dict[str, Any] = {"item_id": item_id, **place}
    if isinstance(part, responses.ResponseOutputRefusal):
        empty_refusal = part.model_copy(update={"refusal": ""})
        yield responses.ResponseContentPartAddedEvent(type="response.content_part.added", part=empty_refusal, **at)
        yield responses.ResponseRefusalDeltaEvent(type="response.refusal.delta", delta=part.refusal, **at)
    else:
        empty = part.model_copy(update={"text": "", "annotations": []})
        yield responses.ResponseContentPartAddedEvent(type="response.content_part.added", part=empty, **at)
        yield responses.ResponseTextDeltaEvent(type="response.output_text.delta", delta=part.text, logprobs=[], **at)
        for number, annotation in enumerate(part.annotations):
            cited = responses.ResponseOutputTextAnnotationAddedEvent.model_construct(
                type="response.output_text.annotation.added", annotation_index=number, **at
            )
            # As the text has it: the event has classes of its own for these, and ChatKit takes only the text's.
            cited.annotation = cast(Any, annotation)
            yield cited
        yield responses.ResponseTextDoneEvent(type="response.output_text.done", text=part.text, logprobs=[], **at)
    yield responses.ResponseContentPartDoneEvent(type="response.content_part.done", part=part, **at)


def _summary(item_id: str, text: str, place: dict[str, Any]) -> Iterator[TResponseStreamEvent]:
    at: dict[str, Any] = {"item_id": item_id, **place}
    yield responses.ResponseReasoningSummaryPartAddedEvent(
        type="response.reasoning_summary_part.added", part=AddedPart(text="", type="summary_text"), **at
    )
    yield responses.ResponseReasoningSummaryTextDeltaEvent(
        type="response.reasoning_summary_text.delta", delta=text, **at
    )
    yield responses.ResponseReasoningSummaryTextDoneEvent(type="response.reasoning_summary_text.done", text=text, **at)
    yield responses.ResponseReasoningSummaryPartDoneEvent(
        type="response.reasoning_summary_part.done", part=DonePart(text=text, type="summary_text"), **at
    )
