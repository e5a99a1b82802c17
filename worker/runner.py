"""The agent runner that every server's `Runner` calls go through.

`agents.run.set_default_agent_runner` is the SDK's seam for it (experimental: pinned by tests/contract). An
unmodified server gets from here: the journal, an end to its model calls when its run is stopped, its turns
bounded, and its tool calls told in the simple dialect and kept with the message that follows them.
"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from agents import Agent, RunConfig, RunHooks, RunResultStreaming, Tool, set_tracing_disabled
from agents.run import AgentRunner, set_default_agent_runner
from agents.run_context import RunContextWrapper
from agents.tool_context import ToolContext

from shared.records import Event
from shared.simple import frame
from shared.wire import clean
from worker import merging
from worker.current_run import CurrentRun, current_run_or_none
from worker.journaled_model import JournaledModel
from worker.journaled_tool import journaled, listening, path_of_task
from worker.tool_output import cut_text


class SeamHooks(RunHooks[Any]):
    """Tells each tool call as it starts and as it ends, and the journal whose turn it is; then the server's own."""

    def __init__(self, current: CurrentRun, model: JournaledModel, own: RunHooks[Any] | None) -> None:
        self._current, self._model, self._own = current, model, own or RunHooks[Any]()
        self.on_llm_end = self._own.on_llm_end  # type: ignore[method-assign]
        self.on_agent_start = self._own.on_agent_start  # type: ignore[method-assign]
        self.on_agent_end = self._own.on_agent_end  # type: ignore[method-assign]
        self.on_handoff = self._own.on_handoff  # type: ignore[method-assign]

    async def on_llm_start(self, context: RunContextWrapper[Any], agent: Agent[Any], *asked: Any) -> None:
        self._model.turn_of(agent)
        await self._own.on_llm_start(context, agent, *asked)

    async def on_tool_start(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool) -> None:
        journaled(tool)
        self._current.say(Event(simple=(frame(type="tool_call", name=tool.name, args=_arguments(context)),)))
        await self._own.on_tool_start(context, agent, tool)

    async def on_tool_end(self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool, result: Any) -> None:
        said = _plain(result, self._current.bounds.max_tool_output)
        self._current.tool_calls.append({"name": tool.name, "args": _arguments(context), "result": said})
        self._current.say(Event(simple=(frame(type="tool_result", name=tool.name, result=said),)))
        await self._own.on_tool_end(context, agent, tool, result)


class RunRunner(AgentRunner):
    """The SDK's own runner, with this run's hooks and a handle to end it."""

    def __init__(self, *, idle_timeout: float) -> None:
        self._idle_timeout = idle_timeout

    async def run(self, starting_agent: Agent[Any], input: Any, **kwargs: Any) -> Any:
        current = current_run_or_none()
        if current is None:
            return await super().run(starting_agent, input, **kwargs)
        with self._seam(current, kwargs):
            return await super().run(starting_agent, input, **kwargs)

    def run_streamed(self, starting_agent: Agent[Any], input: Any, **kwargs: Any) -> RunResultStreaming:
        current = current_run_or_none()
        if current is None:
            return super().run_streamed(starting_agent, input, **kwargs)
        with self._seam(current, kwargs):
            result = super().run_streamed(starting_agent, input, **kwargs)
        current.results.append(result)
        if result.run_loop_task is not None:
            result.run_loop_task.add_done_callback(_looked_at)
        return result

    @contextmanager
    def _seam(self, current: CurrentRun, kwargs: dict[str, Any]) -> Iterator[None]:
        """Put the journal between this call and its models and tools; tasks begun in the body know its path."""
        path = current.journal.next_path(path_of_task.get())
        config = kwargs.get("run_config") or RunConfig()
        if isinstance(config.model, JournaledModel):
            # An agent as a tool inherits its caller's configuration, our model in it included.
            config = replace(config, model=config.model.config.model)
        model = JournaledModel(current.journal, path, config, current, idle_timeout=self._idle_timeout)
        kwargs["run_config"] = replace(config, model=model)
        kwargs["max_turns"] = current.bounds.turns(kwargs.get("max_turns"))
        kwargs["hooks"] = SeamHooks(current, model, kwargs.get("hooks"))
        listening(kwargs.get("context"))
        token = path_of_task.set(path)
        try:
            yield
        finally:
            path_of_task.reset(token)


def _looked_at(task: asyncio.Task[Any]) -> None:
    """A stopped attempt leaves its agent's task unread: what it failed of is of no use to anyone."""
    if not task.cancelled():
        task.exception()


def install(*, idle_timeout: float) -> None:
    """Make it the runner of this process; models of a team's own may be silent for `idle_timeout` seconds."""
    # Otherwise the SDK sends inputs and outputs of every run to OpenAI.
    set_tracing_disabled(True)
    set_default_agent_runner(RunRunner(idle_timeout=idle_timeout))
    merging.install()


def _arguments(context: RunContextWrapper[Any]) -> Any:
    if not isinstance(context, ToolContext):
        return {}
    try:
        return clean(json.loads(context.tool_arguments or "{}"))
    except ValueError:
        return {}


def _plain(result: Any, limit: int) -> Any:
    """The result as JSON: a tool's string that is JSON already is shown as what it says, and a picture is cut."""
    if isinstance(result, str):
        try:
            return clean(json.loads(result))
        except ValueError:
            return clean(result)
    return clean(cut_text(str(result), limit))
