"""What a streaming request does before anyone answers, inside the admission's transaction; and what is said."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chatkit.types import (
    Page,
    Thread,
    ThreadCreatedEvent,
    ThreadItemDoneEvent,
    UserMessageInput,
    UserMessageItem,
)

from shared import attachments, messages
from shared.database import Connection
from shared.ids import new_id
from shared.messages import Writer
from shared.records import Event, Record
from shared.runs import RunKind
from shared.wire import to_stored, to_wire


class Refused(Exception):
    """The request asks for what the conversation is not waiting for. Nothing is stored.

    A ChatKit client understands stream events alone here, so it is told in one; `message` is written for its user.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


async def _nothing(_: Connection, __: Writer) -> list[Record]:
    return []


@dataclass(frozen=True)
class Prelude:
    """One request's part of the admission.

    `apply` writes what the request changes, as attempt 0 of the run, and gives the events its user sees of it
    at once. `created` is set for a new conversation: the event that announces it.
    """

    conversation_id: str | None
    kind: RunKind
    request: dict[str, Any] = field(default_factory=dict)
    created: bytes | None = None
    apply: Callable[[Connection, Writer], Awaitable[list[Record]]] = _nothing
    blind: bool = False
    """`apply` depends on no answer of Postgres, so that its statements may go out before anything is known."""
    speaks: bool = False
    """The user says something: a conversation that is locked or closed takes it no more."""
    patience: float = 0.0
    """Seconds for which the answer before this one may still be ending, before it counts as in the way."""
    deadline: float | None = None
    """Seconds the run may take, where they are not the usual ones."""


def first_message(message: UserMessageInput) -> Prelude:
    """`threads.create`: a conversation, and a message in it."""
    conversation_id = new_id("thr")
    # Naive local time, as the SDK writes it: ChatKit's own arithmetic on it would fail with a time zone.
    thread = Thread(id=conversation_id, created_at=datetime.now(), items=Page())
    return replace(next_message(conversation_id, message), created=to_wire(ThreadCreatedEvent(thread=thread)))


def next_message(conversation_id: str, message: UserMessageInput) -> Prelude:
    """`threads.add_user_message`: a message in a conversation that is there."""
    message_id = new_id("msg")

    async def say(connection: Connection, writer: Writer) -> list[Record]:
        bound = await attachments.bind(connection, writer.user_id, conversation_id, message.attachments)
        item = UserMessageItem.model_validate(
            {
                **message.model_dump(),
                "id": message_id,
                "thread_id": conversation_id,
                "created_at": datetime.now(),
                "attachments": bound,
            }
        )
        await messages.save(connection, writer, conversation_id, to_stored(item))
        return [Event(to_wire(ThreadItemDoneEvent(item=item)))]

    # An attachment must be there and the user's own: who carries one waits for the answer.
    blind = not message.attachments
    request = {"message_id": message_id}
    return Prelude(conversation_id, RunKind.RESPOND, request, apply=say, speaks=True, blind=blind)
