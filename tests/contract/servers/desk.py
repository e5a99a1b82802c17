"""A ChatKitServer as the SDK's guides teach it, with client tools and a streamed widget, a store of its own making,
attachments in a service of its own, structured input and dictation."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, RunContextWrapper, Runner, StopAtTools, function_tool
from chatkit.agents import AgentContext, ClientToolCall, accumulate_text, stream_agent_response
from chatkit.server import ChatKitServer, stream_widget
from chatkit.store import AttachmentStore
from chatkit.types import (
    Attachment,
    AttachmentCreateParams,
    AttachmentUploadDescriptor,
    AudioInput,
    FileAttachment,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    TranscriptionResult,
    UserMessageItem,
)
from chatkit.widgets import Card, Text, WidgetRoot

from tests.contract.baseline.store import MemoryStore
from tests.contract.servers import shop
from tests.contract.servers.context import Context
from tests.contract.servers.shop import said
from worker.scripted.conversation import Conversation
from worker.scripted.rules import RuleModel
from worker.scripted.turn import Speech, ToolUse, Turn

POEM = "The kettle sings, the morning wakes, and every cup a promise makes."


def rule(conversation: Conversation) -> Turn:
    """What the model of this desk says."""
    if "where" in conversation.sentence and not conversation.steps:
        return (ToolUse("get_location", {"precision": "city"}),)
    if conversation.steps:
        return Speech(f"You are in {conversation.steps[-1].result['city']}.")
    return Speech(POEM if "poem" in conversation.sentence else f"You said: {conversation.sentence}")


@function_tool
async def get_location(ctx: RunContextWrapper[AgentContext[Context]], precision: str) -> None:
    """Ask the browser where the user is."""
    ctx.context.client_tool_call = ClientToolCall(name="get_location", arguments={"precision": precision})


class Converter(shop.Converter):
    """Attachments are described to the model."""

    async def attachment_to_message_content(self, attachment: Attachment) -> Any:
        return {"type": "input_text", "text": f"<file>{attachment.name}</file>"}


class Cabinet(AttachmentStore[Context]):
    """Keeps files in a service of its own; only names pass through here."""

    def generate_attachment_id(self, mime_type: str, context: Context) -> str:
        return f"file_{uuid.uuid4().hex}"

    async def create_attachment(self, input: AttachmentCreateParams, context: Context) -> Attachment:
        attachment_id = self.generate_attachment_id(input.mime_type, context)
        upload = AttachmentUploadDescriptor(url=f"https://files.example.com/{attachment_id}", method="PUT")
        return FileAttachment(
            id=attachment_id,
            name=input.name,
            mime_type=input.mime_type,
            upload_descriptor=upload,
            metadata={"drawer": context["user_id"]},
        )

    async def delete_attachment(self, attachment_id: str, context: Context) -> None:
        return None


class DeskServer(ChatKitServer[Context]):
    """Answers questions at a desk. Its store is its own; a worker puts another in its place."""

    def __init__(self) -> None:
        super().__init__(MemoryStore(), Cabinet())
        self.agent: Agent[AgentContext[Context]] = Agent(
            name="Desk",
            instructions="You sit at a desk.",
            model=RuleModel(rule),
            tools=[get_location],
            tool_use_behavior=StopAtTools(stop_at_tool_names=["get_location"]),
        )

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Context
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 50, "asc", context)
        text, last = said(input_user_message), page.data[-1]
        if text == "ask me":
            yield ThreadItemDoneEvent(item=self.questions(thread, context))
            return
        if text == "poem":
            async for event in stream_widget(thread, self.poem(), copy_text=POEM):
                yield event
            return
        if isinstance(last, StructuredInputItem):
            answers = [question.answer.values for question in last.inputs if question.answer]
            text = f"answers {last.status} {answers}"
        elif text == "what language":
            text = f"language {context['locale']}"
        elif text:
            text = ""
        agent_context = AgentContext(thread=thread, store=self.store, request_context=context)
        items = await Converter().to_agent_input(page.data)
        said_now: list[Any] = [{"role": "user", "content": text}] if text else []
        result = Runner.run_streamed(self.agent, [*items, *said_now], context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    async def poem(self) -> AsyncGenerator[WidgetRoot, None]:
        """A card whose text grows as the model writes it."""
        result = Runner.run_streamed(self.agent, "write a poem")
        async for text in accumulate_text(result.stream_events(), Text(id="poem", value="", streaming=True)):
            yield Card(children=[text])

    def questions(self, thread: ThreadMetadata, context: Context) -> StructuredInputItem:
        """What the desk wants to know."""
        options = [StructuredInputMultipleChoiceOption(value=value) for value in ("tea", "coffee")]
        return StructuredInputItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            inputs=[
                StructuredInputMultipleChoice(id="drink", question="What will you have?", options=options),
                StructuredInputFreeform(id="name", question="What is your name?"),
            ],
        )

    async def transcribe(self, audio_input: AudioInput, context: Context) -> TranscriptionResult:
        return TranscriptionResult(text=f"{audio_input.media_type}: {audio_input.data.decode()}")
