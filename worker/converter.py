"""Thread items as a model is given them, where the SDK leaves the conversion to the server."""

import json
from typing import Any

from chatkit.agents import ThreadItemConverter
from chatkit.types import Attachment, HiddenContextItem, UserMessageTagContent
from openai.types.responses import ResponseInputContentParam

from worker.attachment_store import referring


class Converter(ThreadItemConverter):
    """Attachments as references, tags with their data, and hidden context of any kind."""

    async def attachment_to_message_content(self, attachment: Attachment) -> ResponseInputContentParam:
        part: Any = referring(attachment)
        return part  # type: ignore[no-any-return]

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> ResponseInputContentParam:
        told = {"id": tag.id, "text": tag.text, "group": tag.group, "data": tag.data}
        known = {name: value for name, value in told.items() if value}
        return {"type": "input_text", "text": f"<mention>{json.dumps(known, ensure_ascii=False)}</mention>"}

    async def hidden_context_to_input(self, item: HiddenContextItem) -> Any:
        if isinstance(item.content, str):
            return await super().hidden_context_to_input(item)
        text = json.dumps(item.content, ensure_ascii=False)
        return await super().hidden_context_to_input(item.model_copy(update={"content": text}))
