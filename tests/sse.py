"""Server-sent events as a client reads them."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    """One frame: its id, its data (JSON where it is JSON), or its comment."""

    id: str | None
    data: Any
    comment: str | None

    @property
    def sequence(self) -> int:
        assert self.id is not None
        return int(self.id.partition(".")[2])


def frames(lines: Iterable[str]) -> Iterator[Frame]:
    """The frames in these lines (httpx: `response.iter_lines()`)."""
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
        elif block:
            yield _frame(block)
            block = []


def _frame(block: list[str]) -> Frame:
    frame_id = data = comment = None
    for line in block:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                frame_id = value
            case "data":
                data = json.loads(value) if value.startswith(("{", "[{", '"')) else value
            case "":
                comment = value
    return Frame(frame_id, data, comment)


def text_of(received: Iterable[Frame]) -> str:
    """What a reader of the simple dialect has been told in the end: the text after the last retract."""
    text = ""
    for frame in received:
        if isinstance(frame.data, dict) and frame.data["type"] == "text":
            text += frame.data["content"]
        if isinstance(frame.data, dict) and frame.data["type"] == "retract":
            text = ""
    return text


def user_message(text: str, thread_id: str | None = None) -> dict[str, Any]:
    """The ChatKit request that says something: in a new thread, or in this one."""
    message = {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}
    if thread_id is None:
        return {"type": "threads.create", "params": {"input": message}}
    return {"type": "threads.add_user_message", "params": {"input": message, "thread_id": thread_id}}
