"""The simple dialect's request: a message, and the conversation it belongs to."""

from typing import Annotated

from chatkit.types import InferenceOptions, UserMessageInput, UserMessageTextContent
from pydantic import BaseModel, StringConstraints, TypeAdapter


class SimpleRequest(BaseModel):
    """`{"message": "…", "thread_id": "…"}`; without a thread a new conversation begins."""

    message: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    thread_id: str | None = None

    def as_input(self) -> UserMessageInput:
        """The message as ChatKit's own input."""
        content = [UserMessageTextContent(text=self.message)]
        return UserMessageInput(content=content, attachments=[], inference_options=InferenceOptions())


SIMPLE_REQUEST: TypeAdapter[SimpleRequest] = TypeAdapter(SimpleRequest)
