"""Tools that are run once: a finished call answers from the journal, an unfinished one as it has declared.

A tool is wrapped where it stands, the first time any run is about to invoke it; the wrapper finds the run it
works for through the current task. So function tools, agents as tools and MCP tools are all covered, whatever
way a server came by them, and outside a run a tool is what it was.
"""

import asyncio
import json
from contextvars import ContextVar
from copy import copy
from typing import Any

from agents import FunctionTool
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext
from chatkit.agents import AgentContext, ClientToolCall
from chatkit.types import ThreadMetadata, ThreadStreamEvent
from pydantic import TypeAdapter

from shared import tracing
from shared.wire import clean_text
from worker.current_run import CurrentRun, current_run_or_none
from worker.effects import Effect, Invocation, effect_of, entering, leaving
from worker.journal import Journal
from worker.metrics import ToolOutcome, WorkerMeter
from worker.tool_output import STRUCTURED, cut

OUTCOME_UNKNOWN = (
    "The outcome of this call is unknown: it was interrupted while it ran, and it may have taken effect. "
    "It was not repeated. Tell the user, and check before you try again."
)
TOOK_TOO_LONG = (
    "This call was given up after {seconds:g} seconds: it has no result, and it may still take effect. "
    "Tell the user, and check before you try again."
)

path_of_task: ContextVar[str] = ContextVar("journal_path", default="")
"""The path of the `Runner` call that the current task belongs to."""

_said: ContextVar[list[ThreadStreamEvent] | None] = ContextVar("said_by_tool", default=None)

_EVENT: TypeAdapter[ThreadStreamEvent] = TypeAdapter(ThreadStreamEvent)
_THREAD_FIELDS = {"title", "status", "metadata", "allowed_image_domains"}


def journaled(tool: object) -> None:
    """Wrap the tool, once."""
    if isinstance(tool, FunctionTool) and not isinstance(tool.on_invoke_tool, _Journaled):
        tool.on_invoke_tool = _Journaled(tool)
        # What it declares of its own is kept inside, where its result is recorded.
        tool.timeout_seconds = None


def listening(context: object) -> None:
    """Hear what tools say through this agent context, so that it can be said again with their result."""
    if isinstance(context, AgentContext) and not isinstance(context._events, _HeardQueue):
        heard: _HeardQueue = _HeardQueue()
        while not context._events.empty():
            heard.put_nowait(context._events.get_nowait())
        context._events = heard


class _HeardQueue(asyncio.Queue[Any]):
    """An agent context's queue that remembers what the current tool call has put."""

    async def put(self, item: Any) -> None:
        said = _said.get()
        if said is not None:
            said.append(item)
        await super().put(item)


class _Journaled:
    """A tool's invoker with the journal around it."""

    def __init__(self, tool: FunctionTool) -> None:
        self._invoke, self._name, self._effect = tool.on_invoke_tool, tool.name, effect_of(tool)
        self._timed = copy(tool) if tool.timeout_seconds is not None else None
        # An agent's models and tools have bounds of their own.
        self._unhurried = self._timed is not None or tool._is_agent_tool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._invoke, name)

    async def __call__(self, context: ToolContext[Any], arguments: str) -> Any:
        current = current_run_or_none()
        journal: Journal | None = current.journal if current is not None else None
        place = journal.place(path_of_task.get(), context.tool_call_id) if journal is not None else None
        if current is None or journal is None or place is None:
            return await self._result(context, arguments)
        with tracing.span("tool call", {"gen_ai.tool.name": self._name, "journal.path": place.path}):
            return await self._once(current, Invocation(journal, place, current.bounds), context, arguments)

    async def _once(
        self, current: CurrentRun, invocation: Invocation, context: ToolContext[Any], arguments: str
    ) -> Any:
        journal, place = invocation.journal, invocation.place
        recorded = journal.call(place)
        if recorded is not None and recorded["outcome"] is not None:
            self._ended(current.meter, ToolOutcome.REPLAYED)
            return await _say_again(context, recorded["outcome"])
        if recorded is not None and self._effect is Effect.NOT_REPEATABLE:
            self._ended(current.meter, ToolOutcome.UNKNOWN)
            await journal.finish(place, {"result": OUTCOME_UNKNOWN})
            return OUTCOME_UNKNOWN
        current.pause_point()
        if not await journal.begin(place, self._name):
            current.stop_asked()
            # The task is cancelled where it waits.
            await asyncio.Event().wait()
        return await self._run(context, arguments, invocation, current.meter)

    def _ended(self, meter: WorkerMeter, outcome: ToolOutcome) -> None:
        meter.tool_ended(self._name, outcome)
        tracing.note("tool.outcome", outcome)

    async def _run(self, context: ToolContext[Any], arguments: str, invocation: Invocation, meter: WorkerMeter) -> Any:
        place, bounds = invocation.place, invocation.bounds
        thread = _thread(context)
        before = thread.model_dump(mode="json", include=_THREAD_FIELDS) if thread else {}
        said: list[ThreadStreamEvent] = []
        heard, entered = _said.set(said), entering(invocation)
        path = path_of_task.set(f"{place.path}/{place.n}.{place.index}")
        try:
            result = cut(await self._within(bounds.tool_timeout, context, arguments, meter), bounds.max_tool_output)
            if isinstance(result, str):
                # What no database keeps, no model is sent either: the journal's words are the live ones.
                result = clean_text(result)
        finally:
            path_of_task.reset(path)
            leaving(entered)
            _said.reset(heard)
        await invocation.journal.finish(place, _outcome(result, said, context, before))
        return result

    async def _within(
        self, seconds: float | None, context: ToolContext[Any], arguments: str, meter: WorkerMeter
    ) -> Any:
        """The tool's result, or that it was given up. What runs in a thread cannot be ended: it is left behind."""
        try:
            async with asyncio.timeout(None if self._unhurried else seconds) as limit:
                with meter.tool_call(self._name):
                    result = await self._result(context, arguments)
            tracing.note("tool.outcome", ToolOutcome.FINISHED)
            return result
        except TimeoutError:
            if not limit.expired():
                raise
            self._ended(meter, ToolOutcome.TIMED_OUT)
            return TOOK_TOO_LONG.format(seconds=seconds)

    async def _result(self, context: ToolContext[Any], arguments: str) -> Any:
        """As the SDK would have had it, which keeps the tool's own timeout."""
        if self._timed is not None:
            return await invoke_function_tool(function_tool=self._timed, context=context, arguments=arguments)
        return await self._invoke(context, arguments)


def _outcome(
    result: Any, said: list[ThreadStreamEvent], context: ToolContext[Any], before: dict[str, Any]
) -> dict[str, Any]:
    """Everything a call did to its run: result, events, client tool call, changes to the thread."""
    outcome: dict[str, Any] = {"result": result if isinstance(result, str) else _plain(result)}
    if said:
        outcome["events"] = [event.model_dump(mode="json", by_alias=True, exclude_none=True) for event in said]
    if isinstance(context.context, AgentContext) and context.context.client_tool_call:
        outcome["client_tool_call"] = context.context.client_tool_call.model_dump(mode="json")
    thread = _thread(context)
    after = thread.model_dump(mode="json", include=_THREAD_FIELDS) if thread else {}
    if changed := {name: value for name, value in after.items() if before.get(name) != value}:
        outcome["thread"] = changed
    return outcome


async def _say_again(context: ToolContext[Any], outcome: dict[str, Any]) -> Any:
    """Do to the run what the call did, without the call."""
    agent_context = context.context
    if isinstance(agent_context, AgentContext):
        for event in outcome.get("events", ()):
            await agent_context.stream(_EVENT.validate_python(event))
        if call := outcome.get("client_tool_call"):
            agent_context.client_tool_call = ClientToolCall.model_validate(call)
        if changed := outcome.get("thread"):
            thread = agent_context.thread
            updated = ThreadMetadata.model_validate({**thread.model_dump(mode="json"), **changed})
            for name in changed:
                setattr(thread, name, getattr(updated, name))
    return outcome["result"]


def _thread(context: ToolContext[Any]) -> ThreadMetadata | None:
    return context.context.thread if isinstance(context.context, AgentContext) else None


def _plain(result: Any) -> Any:
    """A result that is no string, as JSON that the model is sent in the same words; else those words."""
    if isinstance(result, STRUCTURED):
        return result.model_dump(mode="json")
    if isinstance(result, list | tuple) and result and all(isinstance(part, STRUCTURED) for part in result):
        return [part.model_dump(mode="json") for part in result]
    try:
        plain = json.loads(json.dumps(result))
    except (TypeError, ValueError):
        return str(result)
    return plain if str(plain) == str(result) else str(result)
