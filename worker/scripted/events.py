"""A turn as the Responses API streams it: event by event, a delta per word."""

import json
import re
import time
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import uuid4

from agents.items import TResponseStreamEvent
from pydantic import TypeAdapter

from worker.scripted.turn import Speech, ToolUse, Turn

Events = Iterator[TResponseStreamEvent]


def words_of(text: str) -> list[str]:
    """The text in pieces of a word each; joined, they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def events_of(turn: Turn, *, model: str, input_tokens: int) -> Events:
    """The whole sequence, from `response.created` to `response.completed`, as fast as it is asked for."""
    stream = _Stream(model, input_tokens)
    yield stream.event("response.created", response=stream.response)
    match turn:
        case Speech(text, thoughts):
            if thoughts:
                yield from _reasoning(stream, thoughts)
            yield from _message(stream, text)
        case _:
            for use in turn:
                yield from _call(stream, use)
    yield stream.event("response.completed", response=stream.whole())


class _Stream:
    """One response in the making: its finished items, and the number of the next event."""

    def __init__(self, model: str, input_tokens: int) -> None:
        self._next = 0
        self._items: list[dict[str, Any]] = []
        self._input_tokens = input_tokens
        self._output_tokens = 0
        self.response: dict[str, Any] = {
            "id": f"resp_{uuid4().hex}",
            "object": "response",
            "created_at": time.time(),
            "model": model,
            "status": "in_progress",
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }

    def event(self, kind: str, **fields: Any) -> TResponseStreamEvent:
        self._next += 1
        return _adapter().validate_python({"type": kind, "sequence_number": self._next - 1, **fields})

    def added(self, item: dict[str, Any]) -> TResponseStreamEvent:
        return self.event("response.output_item.added", item=item, output_index=len(self._items))

    def done(self, item: dict[str, Any]) -> TResponseStreamEvent:
        self._items.append(item)
        return self.event("response.output_item.done", item=item, output_index=len(self._items) - 1)

    def deltas(self, kind: str, text: str, **fields: Any) -> Events:
        for word in words_of(text):
            self._output_tokens += 1
            yield self.event(f"{kind}.delta", delta=word, **fields)

    def place_of(self, item: dict[str, Any]) -> dict[str, Any]:
        return {"item_id": item["id"], "output_index": len(self._items)}

    def whole(self) -> dict[str, Any]:
        usage = {
            "input_tokens": self._input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": self._output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self._input_tokens + self._output_tokens,
        }
        return {**self.response, "status": "completed", "output": self._items, "usage": usage}


def _message(stream: _Stream, text: str) -> Events:
    item = {"id": f"msg_{uuid4().hex}", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": text, "annotations": []}
    yield stream.added(item)
    place = {**stream.place_of(item), "content_index": 0}
    yield stream.event("response.content_part.added", part={**part, "text": ""}, **place)
    yield from stream.deltas("response.output_text", text, logprobs=[], **place)
    yield stream.event("response.output_text.done", text=text, logprobs=[], **place)
    yield stream.event("response.content_part.done", part=part, **place)
    yield stream.done({**item, "status": "completed", "content": [part]})


def _reasoning(stream: _Stream, text: str) -> Events:
    item = {"id": f"rs_{uuid4().hex}", "type": "reasoning", "summary": []}
    part = {"type": "summary_text", "text": text}
    yield stream.added(item)
    place = {**stream.place_of(item), "summary_index": 0}
    yield stream.event("response.reasoning_summary_part.added", part={**part, "text": ""}, **place)
    yield from stream.deltas("response.reasoning_summary_text", text, **place)
    yield stream.event("response.reasoning_summary_text.done", text=text, **place)
    yield stream.event("response.reasoning_summary_part.done", part=part, **place)
    yield stream.done({**item, "summary": [part]})


def _call(stream: _Stream, use: ToolUse) -> Events:
    arguments = json.dumps(dict(use.arguments), ensure_ascii=False)
    item = {"id": f"fc_{uuid4().hex}", "type": "function_call", "call_id": f"call_{uuid4().hex}", "name": use.tool}
    yield stream.added({**item, "arguments": "", "status": "in_progress"})
    place = stream.place_of(item)
    yield from stream.deltas("response.function_call_arguments", arguments, **place)
    yield stream.event("response.function_call_arguments.done", arguments=arguments, name=use.tool, **place)
    yield stream.done({**item, "arguments": arguments, "status": "completed"})


@cache
def _adapter() -> TypeAdapter[TResponseStreamEvent]:
    return TypeAdapter(TResponseStreamEvent)
