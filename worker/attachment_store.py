"""The attachment store of a server that brings none of its own: rows in Postgres, bytes in `Files`, data for models."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from chatkit.store import AttachmentStore, NotFoundError
from chatkit.types import Attachment, AttachmentCreateParams

from shared import attachments
from shared.attachments import AttachmentRules
from shared.database import Connection, Database, Row
from shared.errors import NotFound, NotOffered
from shared.files import Files
from shared.ids import new_id
from worker.current_run import current_run

MAX_INLINE_BYTES = 20_000_000
"""What of all files in a conversation one model call is given; the newest come first."""

MARK = "attachment:"
"""How the items that are kept refer to a file: its bytes are put in just before a model sees them."""

_TEXT_TYPES = ("text/", "application/json")


class OwnAttachments(AttachmentStore[Any]):
    """`rules` is None where addresses cannot be signed: nothing can be attached then."""

    def __init__(self, database: Database, files: Files, rules: AttachmentRules | None) -> None:
        self._database, self._files, self._rules = database, files, rules

    def generate_attachment_id(self, mime_type: str, context: Any) -> str:
        return new_id("atc")

    async def create_attachment(self, input: AttachmentCreateParams, context: Any) -> Attachment:
        """The first of two steps. Raises Invalid, TooLarge and NotOffered."""
        if self._rules is None:
            raise NotOffered
        made = self._rules.make(input.name, input.mime_type, size=input.size, uploaded=False)
        user_id = current_run().run.user_id
        async with self._own(user_id) as connection:
            await attachments.save(connection, user_id, made, size=input.size, uploaded=False)
        return made

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        await self._files.delete(attachment_id)

    async def read(self, attachment_id: str, context: Any) -> bytes:
        """The bytes, for a server that converts attachments itself. Raises the SDK's NotFoundError."""
        try:
            await self._row(attachment_id)
            return b"".join([chunk async for chunk in self._files.read(attachment_id)])
        except NotFound:
            raise NotFoundError from None

    async def inlined(self, items: Sequence[Any]) -> list[Any]:
        """The model's input with every reference in place of which its data stands, as far as there is room."""
        room, done = MAX_INLINE_BYTES, []
        for item in reversed(items):
            content = item.get("content") if isinstance(item, dict) else None
            if not isinstance(content, list) or not any(map(_reference, content)):
                done.append(item)
                continue
            parts = []
            for part in content:
                made, size = await self._part(part, room) if _reference(part) else (part, 0)
                room -= size
                parts.append(made)
            done.append({**item, "content": parts})
        return done[::-1]

    async def _part(self, part: dict[str, Any], room: int) -> tuple[dict[str, Any], int]:
        """The part with its data, and the data's size."""
        attachment_id = _reference(part) or ""
        try:
            row = await self._row(attachment_id)
            if row["size"] > room:
                return _note(f"The file {row['name']} is not shown here: there is no room for it."), 0
            data = b"".join([chunk async for chunk in self._files.read(attachment_id)])
        except NotFound:
            return _note("A file that was attached here has been deleted."), 0
        if row["mime_type"].startswith(_TEXT_TYPES):
            return _note(f'<file name="{row["name"]}">\n{data.decode(errors="replace")}\n</file>'), len(data)
        url = f"data:{row['mime_type']};base64,{base64.b64encode(data).decode()}"
        return {**part, ("image_url" if part["type"] == "input_image" else "file_data"): url}, len(data)

    async def _row(self, attachment_id: str) -> Row:
        user_id = current_run().run.user_id
        async with self._own(user_id) as connection:
            return await attachments.one(connection, user_id, attachment_id)

    @asynccontextmanager
    async def _own(self, user_id: str) -> AsyncIterator[Connection]:
        """A connection whose failure gives the run back: it is not the answer's."""
        with current_run().failures_kept():
            async with self._database.of(user_id).connection() as connection:
                yield connection


def referring(attachment: Attachment) -> dict[str, Any]:
    """The part of a user's message that stands for the attachment in what is kept."""
    mark = f"{MARK}{attachment.id}"
    if attachment.type == "image":
        return {"type": "input_image", "detail": "auto", "image_url": mark}
    return {"type": "input_file", "file_data": mark, "filename": attachment.name}


def _reference(part: Any) -> str | None:
    """The attachment's id, if the part is a reference. A user's text is none, whatever it says."""
    if not isinstance(part, dict) or part.get("type") not in ("input_image", "input_file"):
        return None
    url = part.get("image_url") or part.get("file_data") or ""
    return url.removeprefix(MARK) if url.startswith(MARK) else None


def _note(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}
