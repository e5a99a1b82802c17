"""The streaming requests that go on from what a conversation holds: a tool's output, answers, a retry, an action.

They follow `ChatKitServer._process_streaming_impl` (openai-chatkit 1.6.5) on the stored JSON, so that what this
version does not know of an item goes through unharmed. Each raises NotFound for an item that is not there.
"""

import json
from typing import Any

from chatkit.types import (
    StructuredInputSubmission,
    ThreadAddStructuredInputParams,
    ThreadCustomActionParams,
    ThreadRetryAfterItemParams,
)

from api.prelude import Prelude, Refused
from shared import messages, rewind
from shared.database import Connection, Row
from shared.errors import Invalid
from shared.fold import Item, item_event
from shared.messages import Writer
from shared.records import Record
from shared.runs import RunKind

CLEANED_UP = 20
"""How many of the last items are searched for tool calls that nobody will answer any more, as in the SDK."""

ENDING_SECONDS = 1.0
"""A button is pressed while the answer that showed it is just ending: that answer is not in the way."""

FOR_EVER = float("inf")
"""An output or an answer continues the run that asked for it: that one is never ended for its sake."""


def tool_output(conversation_id: str, result: Any) -> Prelude:
    """`threads.add_client_tool_output`: the pending call at the conversation's end gets its output."""

    async def complete(connection: Connection, writer: Writer) -> list[Record]:
        rows = await _last(connection, writer, conversation_id)
        if not rows or not _pending_call(rows[0]):
            raise Refused("This conversation is not waiting for a tool's output.")
        output = {} if result is None else {"output": result}
        await _save(connection, writer, conversation_id, {**rows[0]["item"], "status": "completed", **output})
        for dangling in filter(_pending_call, rows[1:]):
            await messages.delete(connection, writer, conversation_id, dangling["id"])
        return []

    return Prelude(conversation_id, RunKind.RESPOND, apply=complete, patience=FOR_EVER)


def structured_input(params: ThreadAddStructuredInputParams) -> Prelude:
    """`threads.add_structured_input`: the questions that the agent asked get their answers."""

    async def submit(connection: Connection, writer: Writer) -> list[Record]:
        row = await messages.one(connection, writer.user_id, params.thread_id, params.item_id)
        if row["type"] != "structured_input":
            raise Refused("There are no questions to answer here.")
        if row["item"].get("status", "pending") != "pending":
            raise Refused("These questions have been answered already.")
        item = answered(row["item"], params.input)
        await _save(connection, writer, params.thread_id, item)
        return [item_event("thread.item.replaced", messages.visible(item))]

    request = {"replaced_id": params.item_id}
    return Prelude(params.thread_id, RunKind.RESPOND, request, apply=submit, patience=FOR_EVER)


def retry(params: ThreadRetryAfterItemParams) -> Prelude:
    """`threads.retry_after_item`: everything after the user's message is deleted, and it is answered anew."""

    async def go_back(connection: Connection, writer: Writer) -> list[Record]:
        row = await messages.one(connection, writer.user_id, params.thread_id, params.item_id)
        if row["type"] != "user_message":
            raise Refused("Only a message of one's own can be answered again.")
        await rewind.to_message(connection, writer, params.thread_id, row)
        return [item_event("thread.item.replaced", messages.visible(row["item"]))]

    return Prelude(params.thread_id, RunKind.RESPOND, {"message_id": params.item_id}, apply=go_back, speaks=True)


def action(params: ThreadCustomActionParams) -> Prelude:
    """`threads.custom_action`: a button of a widget was pressed, or the page has sent an action of its own."""
    request = action_request(params)

    async def check(connection: Connection, writer: Writer) -> list[Record]:
        await check_sender(connection, writer.user_id, params)
        return []

    return Prelude(params.thread_id, RunKind.ACTION, request, apply=check, patience=ENDING_SECONDS)


def action_request(params: ThreadCustomActionParams) -> dict[str, Any]:
    """What the run's request keeps of an action. Raises Invalid for one without a type."""
    if not isinstance(params.action.type, str):
        raise Invalid("Not valid: params.action.type")
    return {"action": params.action.model_dump(mode="json"), "sender_id": params.item_id or None}


async def check_sender(connection: Connection, user_id: str, params: ThreadCustomActionParams) -> None:
    """An action comes from a widget of this conversation, or from no item. Raises NotFound and Refused."""
    if params.item_id:
        sender = await messages.one(connection, user_id, params.thread_id, params.item_id)
        if sender["type"] != "widget":
            raise Refused("Only a widget can send an action.")


def answered(item: Item, submission: StructuredInputSubmission) -> Item:
    """The questions with their answers, unknown ones ignored (`ChatKitServer._apply_structured_input_submission`)."""
    inputs = []
    for question in item["inputs"]:
        given = submission.answers.get(question["id"])
        if submission.status == "skipped" or given is None or given.skipped or not given.values:
            answer: dict[str, Any] = {"values": [], "skipped": True}
        else:
            single = question["type"] == "multiple_choice" and not question.get("multiple")
            answer = {"values": given.values[:1] if single else given.values, "skipped": False}
        inputs.append({**question, "answer": answer})
    return {**item, "inputs": inputs, "status": submission.status}


async def _last(connection: Connection, writer: Writer, conversation_id: str) -> list[Row]:
    page = await messages.page(connection, writer.user_id, conversation_id, limit=CLEANED_UP, order="desc", hidden=True)
    return page.rows


def _pending_call(row: Row) -> bool:
    return bool(row["type"] == "client_tool_call" and row["item"].get("status", "pending") == "pending")


async def _save(connection: Connection, writer: Writer, conversation_id: str, item: Item) -> None:
    await messages.save(connection, writer, conversation_id, json.dumps(item).encode())
