"""What the API does with attachments of our own: rows and bytes, in one step or two."""

import json
from collections.abc import AsyncIterator
from typing import Any

from chatkit.types import Attachment, AttachmentCreateParams

from api.form import FilePart
from shared import attachments
from shared.attachments import AttachmentRules
from shared.database import Database, Row
from shared.errors import Conflict, Invalid, NotOffered, TooLarge
from shared.files import Files
from shared.wire import to_wire

Json = dict[str, Any]

_BEGINNINGS = {
    "image/png": (b"\x89PNG",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF8",),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF",),
}
"""How the bytes of a type begin, where that is known."""


class Attachments:
    """What the API does with attachments of our own; `rules` is None where addresses cannot be signed."""

    def __init__(self, database: Database, files: Files, rules: AttachmentRules | None) -> None:
        self._database, self.files, self._rules = database, files, rules

    @property
    def rules(self) -> AttachmentRules:
        """Raises NotOffered."""
        if self._rules is None:
            raise NotOffered
        return self._rules

    async def create(self, user_id: str, params: AttachmentCreateParams) -> Json:
        """`attachments.create`: the first of two steps. Raises Invalid and TooLarge."""
        made = self.rules.make(params.name, params.mime_type, size=params.size, uploaded=False)
        async with self._database.of(user_id).connection() as connection:
            await attachments.save(connection, user_id, made, size=params.size, uploaded=False)
        return _json(made)

    async def upload(self, attachment_id: str, row: Row, body: AsyncIterator[bytes]) -> Json:
        """The second step: the bytes. Raises Conflict where they are there already."""
        if row["uploaded_at"] is not None:
            raise Conflict("This attachment has been uploaded already.")
        size = await self.files.save(attachment_id, checked(body, row["mime_type"], limit=row["size"]))
        if size != row["size"]:
            await self.files.delete(attachment_id)
            raise Invalid("The file is not of the size that was announced.")
        async with self._database.of(row["user_id"]).connection() as connection:
            stored: Json = (await attachments.uploaded(connection, attachment_id))["attachment"]
        return stored

    async def receive(self, user_id: str, part: FilePart) -> Json:
        """Both steps in one."""
        made = self.rules.make(part.name, part.mime_type, size=None, uploaded=True)
        body = checked(part.chunks(), made.mime_type, limit=self.rules.max_bytes)
        size = await self.files.save(made.id, body)
        async with self._database.of(user_id).connection() as connection:
            await attachments.save(connection, user_id, made, size=size)
        return _json(made)

    async def delete(self, user_id: str, attachment_id: str) -> None:
        """`attachments.delete`: the row first, so that nobody finds a row without its bytes. Raises NotFound."""
        async with self._database.of(user_id).connection() as connection:
            await attachments.delete(connection, user_id, attachment_id)
        await self.files.delete(attachment_id)

    async def of_conversation(self, user_id: str, conversation_id: str) -> list[str]:
        """The ids of what is attached in it."""
        async with self._database.of(user_id).connection() as connection:
            return await attachments.of_conversation(connection, user_id, conversation_id)

    async def forget(self, attachment_ids: list[str]) -> None:
        """Delete the bytes of attachments whose rows are gone; what is missed here is collected later."""
        for attachment_id in attachment_ids:
            await self.files.delete(attachment_id)

    def renewed(self, item: Json) -> Json:
        """An item with its previews' addresses made anew: those in the row may have expired."""
        if self._rules is None or not item.get("attachments"):
            return item
        urls = self._rules.urls
        shown = [
            {**one, "preview_url": urls.renewed(one["id"], one["preview_url"])} if "preview_url" in one else one
            for one in item["attachments"]
        ]
        return {**item, "attachments": shown}


async def checked(body: AsyncIterator[bytes], mime_type: str, *, limit: int) -> AsyncIterator[bytes]:
    """The bytes as they come. Raises TooLarge at the first one too many, Invalid for what is not of its type."""
    size, beginning = 0, b""
    async for chunk in body:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The file has more than {limit} bytes.")
        if len(beginning) < 4:
            beginning = (beginning + chunk)[:16]
        yield chunk
    if not beginning.startswith(_BEGINNINGS.get(mime_type, (b"",))):
        raise Invalid("The file is not what its type says.")
    if size == 0:
        raise Invalid("The file is empty.")


def _json(attachment: Attachment) -> Json:
    parsed: Json = json.loads(to_wire(attachment))
    return parsed
