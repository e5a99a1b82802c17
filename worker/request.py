"""What a run asks of the server, from the request in its record: which method, with which arguments."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from chatkit.actions import Action
from chatkit.errors import CustomStreamError
from chatkit.server import ChatKitServer
from chatkit.types import (
    StreamOptions,
    StreamOptionsEvent,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
    WidgetItem,
)

from shared.context import RequestContext
from shared.identity import Principal
from shared.runs import RunKind
from shared.tables import Run
from worker.current_run import CurrentRun
from worker.item_ids import ItemIds

BuildContext = Callable[[RequestContext], Awaitable[Any]]
Answer = Callable[[], AsyncIterator[ThreadStreamEvent]]


async def events_of(
    server: ChatKitServer[Any], build_context: BuildContext, current: CurrentRun
) -> AsyncIterator[ThreadStreamEvent]:
    """The server's events, persisted by the SDK's own loop as they come.

    `_process_events` is the SDK's inner door (openai-chatkit 1.6.5, pinned by tests/contract): `process()` as
    a whole cannot be run twice, because its prelude deletes, raises or overwrites on a second attempt.
    """
    run = current.run
    context = await build_context(request_context(run))
    assert run.conversation_id is not None
    thread = await server.store.load_thread(run.conversation_id, context)
    answer, ids = await _answer(server, run, thread, context), ItemIds(current)
    async for event in server._process_events(thread, context, lambda: ids.own(answer())):
        yield _cancellable(event, run) if isinstance(event, StreamOptionsEvent) else event


async def _answer(server: ChatKitServer[Any], run: Run, thread: ThreadMetadata, context: Any) -> Answer:
    """The call that gives the run's events."""
    match RunKind(run.kind):
        case RunKind.RESPOND:
            message = await item_of(server, run, "message_id", context)
            assert message is None or isinstance(message, UserMessageItem)
            return lambda: server.respond(thread, message, context)
        case RunKind.ACTION:
            if type(server).action is ChatKitServer.action:
                return _no_actions
            sender = await item_of(server, run, "sender_id", context)
            assert sender is None or isinstance(sender, WidgetItem)
            action: Action[str, Any] = Action[str, Any].model_validate(run.request["action"])
            return lambda: server.action(thread, action, sender, context)
        case RunKind.CALL:
            raise ValueError("a call has no events")


async def _no_actions() -> AsyncIterator[ThreadStreamEvent]:
    raise CustomStreamError("This assistant does not know that action.")
    yield


def _cancellable(event: StreamOptionsEvent, run: Run) -> StreamOptionsEvent:
    """A Stop that the component offers must be one that arrives: only with the helper, which posts it."""
    allow = event.stream_options.allow_cancel and bool(run.request.get("resumable"))
    return StreamOptionsEvent(stream_options=StreamOptions(allow_cancel=allow))


async def item_of(server: ChatKitServer[Any], run: Run, name: str, context: Any) -> ThreadItem | None:
    """The item that the request names so, if it does."""
    item_id = run.request.get(name)
    return await server.store.load_item(run.conversation_id or "", item_id, context) if item_id else None


def request_context(run: Run) -> RequestContext:
    """Who asks, in what language, with which request metadata."""
    principal = Principal(subject=run.request.get("subject", run.user_id), issuer=run.request.get("issuer"))
    return RequestContext(principal, run.request.get("locale"), run.request.get("metadata") or {})
