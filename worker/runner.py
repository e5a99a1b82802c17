"""The agent runner that every server's `Runner` calls go through.

`agents.run.set_default_agent_runner` is the SDK's seam for it (experimental: pinned by tests/contract). An
unmodified server gets from here: an end to its model calls when its run is stopped, its usage counted, and
its tool calls told in the simple dialect and kept with the message that follows them.
"""

import json
from typing import Any

from agents import Agent, RunHooks, RunResultStreaming, Tool
from agents.run import AgentRunner, set_default_agent_runner
from agents.run_context import RunContextWrapper
from agents.tool_context import ToolContext

from shared.records import Event
from shared.simple import frame
from shared.wire import clean
from worker.current_run import CurrentRun, current_run


class ToolNarration(RunHooks[Any]):
    """Tells each tool call of a run as it starts and as it ends; every hook is the server's own as well."""

    def __init__(self, current: CurrentRun, own: RunHooks[Any] | None) -> None:
        self._current, self._own = current, own or RunHooks[Any]()
        self.on_llm_start = self._own.on_llm_start  # type: ignore[method-assign]
        self.on_llm_end = self._own.on_llm_end  # type: ignore[method-assign]
        self.on_agent_start = self._own.on_agent_start  # type: ignore[method-assign]
        self.on_agent_end = self._own.on_agent_end  # type: ignore[method-assign]
        self.on_handoff = self._own.on_handoff  # type: ignore[method-assign]

    async def on_tool_start(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool) -> None:
        self._current.say(Event(simple=(frame(type="tool_call", name=tool.name, args=_arguments(context)),)))
        await self._own.on_tool_start(context, agent, tool)

    async def on_tool_end(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool, result: Any) -> None:
        said = _plain(result)
        self._current.tool_calls.append({"name": tool.name, "args": _arguments(context), "result": said})
        self._current.say(Event(simple=(frame(type="tool_result", name=tool.name, result=said),)))
        await self._own.on_tool_end(context, agent, tool, result)


class RunRunner(AgentRunner):
    """The SDK's own runner, with this run's hooks and a handle to end it."""

    async def run(self, starting_agent: Agent[Any], input: Any, **kwargs: Any) -> Any:
        current = _current()
        if current is not None:
            kwargs["hooks"] = ToolNarration(current, kwargs.get("hooks"))
        return await super().run(starting_agent, input, **kwargs)

    def run_streamed(self, starting_agent: Agent[Any], input: Any, **kwargs: Any) -> RunResultStreaming:
        current = _current()
        if current is None:
            return super().run_streamed(starting_agent, input, **kwargs)
        kwargs["hooks"] = ToolNarration(current, kwargs.get("hooks"))
        result = super().run_streamed(starting_agent, input, **kwargs)
        current.results.append(result)
        return result


def install() -> None:
    """Make it the runner of this process."""
    set_default_agent_runner(RunRunner())


def usage(current: CurrentRun) -> dict[str, int] | None:
    """Tokens and requests of all agent runs of this attempt; None where no model was asked."""
    counts = [result.context_wrapper.usage for result in current.results if isinstance(result, RunResultStreaming)]
    if not counts:
        return None
    names = ("requests", "input_tokens", "output_tokens", "total_tokens")
    return {name: sum(getattr(count, name) for count in counts) for name in names}


def _current() -> CurrentRun | None:
    try:
        return current_run()
    except LookupError:
        return None


def _arguments(context: RunContextWrapper[Any]) -> Any:
    if not isinstance(context, ToolContext):
        return {}
    try:
        return clean(json.loads(context.tool_arguments or "{}"))
    except ValueError:
        return {}


def _plain(result: Any) -> Any:
    """The result as JSON: a tool's string that is JSON already is shown as what it says."""
    if isinstance(result, str):
        try:
            return clean(json.loads(result))
        except ValueError:
            return clean(result)
    return clean(str(result))
