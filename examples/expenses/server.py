"""A bookkeeper: takes receipts as attachments, asks what they were for in a form, and books them."""

import base64
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from agents import Agent, Runner
from chatkit.agents import AgentContext, ThreadItemConverter, stream_agent_response
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    Attachment,
    StructuredInputFreeform,
    StructuredInputItem,
    StructuredInputMultipleChoice,
    StructuredInputMultipleChoiceOption,
    ThreadItemDoneEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from examples.model import model_or
from worker.scripted.conversation import Conversation
from worker.scripted.turn import Speech, Turn

CATEGORIES = ("travel", "food", "office")
INSTRUCTIONS = """\
You keep the books. When a receipt is attached and its questions are answered, book it in one sentence: what, how much,
in which category, for which purpose. If the questions were skipped, say that nothing was booked.
"""


class Receipts(ThreadItemConverter):
    """Gives the model the receipts themselves, as data."""

    def __init__(self, read: Any, context: Any) -> None:
        self._read, self._context = read, context

    async def attachment_to_message_content(self, attachment: Attachment) -> Any:
        data: bytes = await self._read(attachment.id, self._context)
        if attachment.mime_type.startswith("text/"):
            return {"type": "input_text", "text": f"<receipt>{data.decode(errors='replace')}</receipt>"}
        url = f"data:{attachment.mime_type};base64,{base64.b64encode(data).decode()}"
        if attachment.type == "image":
            return {"type": "input_image", "detail": "auto", "image_url": url}
        return {"type": "input_file", "filename": attachment.name, "file_data": url}


class ExpensesServer(ChatKitServer[Any]):
    """Answers with the bookkeeper, once it knows what a receipt was for."""

    def __init__(self, store: Store[Any]) -> None:
        super().__init__(store)
        self._agent: Agent[AgentContext[Any]] = Agent(
            name="Bookkeeper", instructions=INSTRUCTIONS, model=model_or(rule)
        )

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        if input_user_message is not None and input_user_message.attachments:
            thread.title = thread.title or input_user_message.attachments[0].name
            yield ThreadItemDoneEvent(item=self._questions(thread, context))
            return
        page = await self.store.load_thread_items(thread.id, None, 50, "asc", context)
        store: Any = self.attachment_store
        items = await Receipts(store.read, context).to_agent_input(page.data)
        agent_context: AgentContext[Any] = AgentContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(self._agent, items, context=agent_context)
        async for event in stream_agent_response(agent_context, result):
            yield event

    def _questions(self, thread: ThreadMetadata, context: Any) -> StructuredInputItem:
        options = [StructuredInputMultipleChoiceOption(value=category) for category in CATEGORIES]
        return StructuredInputItem(
            id=self.store.generate_item_id("message", thread, context),
            thread_id=thread.id,
            created_at=datetime.now(),
            inputs=[
                StructuredInputMultipleChoice(id="category", question="Which category?", options=options),
                StructuredInputFreeform(id="purpose", question="What was it for?"),
            ],
        )


def rule(conversation: Conversation) -> Turn:
    """What the bookkeeper says where no model is configured."""
    answers = re.findall(r"^- (.+?): (.+)$", conversation.sentence, re.M)
    if "status: skipped" in conversation.sentence:
        return Speech("Then I have booked nothing.")
    if answers:
        category, purpose = (answer for _, answer in answers[:2])
        return Speech(f"Booked under **{category}**, for: {purpose}.")
    return Speech("Attach a receipt, and I will ask what it was for.")
