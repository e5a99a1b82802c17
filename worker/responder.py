"""The default ChatKitServer: the todo agent, its tool calls shown as they happen, its history kept exact."""

import json
from collections.abc import AsyncIterator
from typing import Any

from agents import (
    Agent,
    ModelSettings,
    RunConfig,
    RunContextWrapper,
    RunHooks,
    Runner,
    RunResultStreaming,
    Tool,
)
from agents.run import CallModelData, ModelInputData
from agents.tool_context import ToolContext
from chatkit.agents import AgentContext, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    AssistantMessageItem,
    CustomTask,
    InferenceOptions,
    ThreadItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from shared.context import RequestContext
from shared.messages import readable
from worker.attachment_store import OwnAttachments
from worker.converter import Converter
from worker.current_run import current_run
from worker.models import Models
from worker.turns import Turns, answered_calls

TITLE_LENGTH = 60
CANCELLED_NOTE = "The user stopped this answer."

_LABELS = {
    "add_task": "Add a task",
    "list_tasks": "Look at the list",
    "update_task": "Rename a task",
    "complete_task": "Complete a task",
    "delete_task": "Delete a task",
}


class TodoServer(ChatKitServer[RequestContext]):
    """Answers with the agent it is given."""

    def __init__(
        self,
        store: Store[RequestContext],
        attachments: OwnAttachments,
        *,
        agent: Agent[AgentContext[RequestContext]],
        models: Models,
        turns: Turns,
    ) -> None:
        super().__init__(store, attachments)
        self._attachments, self._agent, self.models = attachments, agent, models
        self._turns = turns

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: RequestContext
    ) -> AsyncIterator[ThreadStreamEvent]:
        if thread.title is None and input_user_message is not None:
            thread.title = title_from(input_user_message)
        said = await Converter().to_agent_input(input_user_message) if input_user_message else []
        history = await self._turns.history()
        agent_context: AgentContext[RequestContext] = AgentContext(
            thread=thread, store=self.store, request_context=context
        )
        result = Runner.run_streamed(
            self._agent,
            [*history, *said],
            context=agent_context,
            # As many as the worker lets any server have.
            max_turns=None,
            hooks=ToolTasks(),
            run_config=self._config(input_user_message),
        )
        current_run().turn_starts_at = len(history)
        async for event in stream_agent_response(agent_context, result):
            yield event
        await self._turns.save(result.to_input_list()[len(history) :])

    def _config(self, message: UserMessageItem | None) -> RunConfig:
        """The model and the tool that the message asks for, of those that the API lets pass; and its files' data."""
        options = message.inference_options if message else InferenceOptions()
        tool = options.tool_choice.id if options.tool_choice else None
        return RunConfig(
            model=self.models.named(options.model) if options.model else None,
            model_settings=ModelSettings(tool_choice=tool) if tool else None,
            call_model_input_filter=self._with_files,
        )

    async def _with_files(self, data: CallModelData[Any]) -> ModelInputData:
        asked = data.model_data
        return ModelInputData(input=await self._attachments.inlined(asked.input), instructions=asked.instructions)

    async def handle_stream_cancelled(
        self, thread: ThreadMetadata, pending_items: list[ThreadItem], context: RequestContext
    ) -> None:
        """Store the partial text, as the SDK does, and keep the turn so far for the next one's input."""
        await super().handle_stream_cancelled(thread, pending_items, context)
        current = current_run()
        result = next((one for one in reversed(current.results) if isinstance(one, RunResultStreaming)), None)
        if result is None:
            return
        turn: list[Any] = answered_calls(result.to_input_list()[current.turn_starts_at :])
        for item in pending_items:
            text = readable(item.model_dump(mode="json"))
            if isinstance(item, AssistantMessageItem) and text.strip():
                turn.append({"role": "assistant", "content": text})
        await self._turns.save([*turn, {"role": "developer", "content": CANCELLED_NOTE}])


class ToolTasks(RunHooks[AgentContext[RequestContext]]):
    """Shows each tool call as a task of a workflow: loading while it runs, then complete."""

    def __init__(self) -> None:
        self._shown: dict[str, CustomTask] = {}

    async def on_tool_start(
        self, context: RunContextWrapper[AgentContext[RequestContext]], agent: Agent[Any], tool: Tool
    ) -> None:
        if isinstance(context, ToolContext):
            # The SDK finds a task's place by equality: two calls of one tool must differ.
            title, content = _LABELS.get(tool.name, tool.name), _subject(context.tool_arguments)
            task = CustomTask(title=title, content=content, status_indicator="loading")
            self._shown[context.tool_call_id] = task
            await context.context.add_workflow_task(task)

    async def on_tool_end(
        self, context: RunContextWrapper[AgentContext[RequestContext]], agent: Agent[Any], tool: Tool, result: Any
    ) -> None:
        if not isinstance(context, ToolContext):
            return
        shown = self._shown.pop(context.tool_call_id, None)
        workflow = context.context.workflow_item
        if shown is None or workflow is None:
            return
        for index, task in enumerate(workflow.workflow.tasks):
            if task is shown:
                done = shown.model_copy(update={"status_indicator": "complete"})
                await context.context.update_workflow_task(done, index)
                return


def _subject(arguments: str) -> str | None:
    """What the call is about, in the words of its arguments."""
    try:
        values = json.loads(arguments or "{}").values()
    except (ValueError, AttributeError):
        return None
    return ", ".join(str(value) for value in values) or None


def title_from(message: UserMessageItem) -> str:
    """A title made from the first message: its first line, cut at a word."""
    line = next(iter(readable(message.model_dump(mode="json")).strip().splitlines()), "") or "New conversation"
    if len(line) <= TITLE_LENGTH:
        return line
    return line[:TITLE_LENGTH].rsplit(" ", 1)[0] + " …"
