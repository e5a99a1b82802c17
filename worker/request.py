"""What a run asks of the server, from the request in its record: which method, with which arguments."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from chatkit.actions import Action
from chatkit.server import ChatKitServer
from chatkit.types import (
    StreamOptions,
    StreamOptionsEvent,
    ThreadItem,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)

from shared.context import RequestContext
from shared.identity import Principal
from shared.runs import RunKind
from shared.tables import Run
from worker.item_ids import ItemIds

BuildContext = Callable[[RequestContext], Any]


async def events_of(
    server: ChatKitServer[Any], build_context: BuildContext, run: Run
) -> AsyncIterator[ThreadStreamEvent]:
    """The server's events, persisted by the SDK's own loop as they come.

    `_process_events` is the SDK's inner door (openai-chatkit 1.6.5, pinned by tests/contract): `process()` as
    a whole cannot be run twice, because its prelude deletes, raises or overwrites on a second attempt.
    """
    context = build_context(_request_context(run))
    assert run.conversation_id is not None
    thread = await server.store.load_thread(run.conversation_id, context)
    ids = ItemIds(run.id)
    match RunKind(run.kind):
        case RunKind.RESPOND:
            message = await _item(server, run, "message_id", context)
            assert message is None or isinstance(message, UserMessageItem)
            events = server._process_events(thread, context, lambda: ids.own(server.respond(thread, message, context)))
        case RunKind.ACTION:
            sender = await _item(server, run, "sender_id", context)
            assert sender is None or isinstance(sender, WidgetItem)
            action: Action[str, Any] = Action[str, Any].model_validate(run.request["action"])
            events = server._process_events(
                thread, context, lambda: ids.own(server.action(thread, action, sender, context))
            )
        case RunKind.CALL:
            raise NotImplementedError
    async for event in events:
        yield _cancellable(event, run) if isinstance(event, StreamOptionsEvent) else event


def _cancellable(event: StreamOptionsEvent, run: Run) -> StreamOptionsEvent:
    """A Stop that the component offers must be one that arrives: only with the helper, which posts it."""
    allow = event.stream_options.allow_cancel and bool(run.request.get("resumable"))
    return StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=allow))


async def _item(server: ChatKitServer[Any], run: Run, name: str, context: Any) -> ThreadItem | None:
    item_id = run.request.get(name)
    return await server.store.load_item(run.conversation_id or "", item_id, context) if item_id else None


def _request_context(run: Run) -> RequestContext:
    principal = Principal(subject=run.request.get("subject", run.user_id), issuer=run.request.get("issuer"))
    return RequestContext(principal, run.request.get("locale"), run.request.get("metadata") or {})
