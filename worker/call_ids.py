"""Tool call ids that are distinct within a run, whatever the provider sent."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from agents.items import TResponseInputItem, TResponseOutputItem, TResponseStreamEvent
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
)

ModelInput = str | list[TResponseInputItem]


class CallIds:
    """Renames the calls of one response whose id is empty or already used.

    The SDK raises on such an id, or takes the call for a repetition and skips it. The input holds every earlier
    call of the run, so nothing is remembered between responses; a new name follows from input and place alone.
    """

    def __init__(self, earlier: ModelInput) -> None:
        self._earlier = earlier
        self._used = _ids_in(earlier)
        self._names: dict[int, str] = {}
        self._done: list[tuple[ResponseFunctionToolCall, str]] = []

    def distinct(self, event: TResponseStreamEvent) -> TResponseStreamEvent:
        """The event as it came, or a copy with another call id in it."""
        match event:
            case ResponseOutputItemAddedEvent(item=ResponseFunctionToolCall() as call):
                return _with_item(event, call, self._name_at(event.output_index, call))
            case ResponseOutputItemDoneEvent(item=ResponseFunctionToolCall() as call):
                name = self._name_at(event.output_index, call)
                self._done.append((call, name))
                return _with_item(event, call, name)
            case ResponseCompletedEvent():
                response = self._whole(event.response)
                return event if response is event.response else event.model_copy(update={"response": response})
            case _:
                return event

    def _whole(self, response: Response) -> Response:
        output = [self._settled(item) for item in response.output]
        if all(new is old for new, old in zip(output, response.output, strict=True)):
            return response
        return response.model_copy(update={"output": output})

    def _settled(self, item: TResponseOutputItem) -> TResponseOutputItem:
        """An item of the completed response, named as its own `done` event named it.

        Its place in the list is no guide: a reasoning item that came late shifts the others.
        """
        if not isinstance(item, ResponseFunctionToolCall):
            return item
        for known in self._done:
            if _same(known[0], item):
                self._done.remove(known)
                return _renamed(item, known[1])
        return _renamed(item, self._claim(item))

    def _name_at(self, output_index: int, call: ResponseFunctionToolCall) -> str:
        if output_index not in self._names:
            self._names[output_index] = self._claim(call)
        return self._names[output_index]

    def _claim(self, call: ResponseFunctionToolCall) -> str:
        name = call.call_id
        if not name or name in self._used:
            seed = json.dumps([self._earlier, name, len(self._used)], sort_keys=True, default=str)
            name = f"call_{hashlib.sha256(seed.encode()).hexdigest()[:24]}"
        self._used.add(name)
        return name


def _ids_in(earlier: ModelInput) -> set[str]:
    items = [] if isinstance(earlier, str) else earlier
    found = (item.get("call_id") if _is_mapping(item) else getattr(item, "call_id", None) for item in items)
    return {call_id for call_id in found if isinstance(call_id, str)}


def _is_mapping(item: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(item, Mapping)


def _same(one: ResponseFunctionToolCall, other: ResponseFunctionToolCall) -> bool:
    return (one.call_id, one.name, one.arguments) == (other.call_id, other.name, other.arguments)


def _renamed(call: ResponseFunctionToolCall, name: str) -> ResponseFunctionToolCall:
    return call if call.call_id == name else call.model_copy(update={"call_id": name})


def _with_item(
    event: ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent, call: ResponseFunctionToolCall, name: str
) -> TResponseStreamEvent:
    return event if call.call_id == name else event.model_copy(update={"item": _renamed(call, name)})
