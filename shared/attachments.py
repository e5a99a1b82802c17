"""Attachments: what may be attached, and the rows, each found only by its owner; the bytes are in `Files`."""

import json
from dataclasses import dataclass
from typing import Any

from chatkit.types import Attachment, AttachmentUploadDescriptor, FileAttachment, ImageAttachment
from psycopg import errors
from psycopg.types.json import Jsonb
from pydantic import AnyUrl

from shared.database import Connection, Row
from shared.errors import Invalid, NotFound, TooLarge
from shared.ids import new_id
from shared.settings import Settings
from shared.signed_urls import SignedUrls
from shared.wire import clean_text, to_stored

MAX_NAME = 255

_SAVE = """
INSERT INTO attachments (id, user_id, conversation_id, name, mime_type, size, attachment, uploaded_at)
VALUES (%(id)s, %(user_id)s, %(conversation_id)s, %(name)s, %(mime_type)s, %(size)s, %(attachment)s,
        CASE WHEN %(uploaded)s THEN clock_timestamp() END)
ON CONFLICT (id) DO UPDATE SET
    conversation_id = coalesce(attachments.conversation_id, excluded.conversation_id),
    attachment = excluded.attachment
WHERE attachments.user_id = excluded.user_id
  AND (attachments.conversation_id IS NULL OR attachments.conversation_id = excluded.conversation_id)
"""

_BIND = """
UPDATE attachments
SET conversation_id = %(conversation_id)s,
    attachment = attachment - 'upload_descriptor' || jsonb_build_object('thread_id', %(conversation_id)s::text)
WHERE id = ANY(%(ids)s) AND user_id = %(user_id)s
  AND (conversation_id IS NULL OR conversation_id = %(conversation_id)s)
RETURNING *
"""

_UPLOADED = """
UPDATE attachments SET uploaded_at = clock_timestamp(), attachment = attachment - 'upload_descriptor'
WHERE id = %(id)s AND uploaded_at IS NULL RETURNING *
"""

_FORGET_UNBOUND = """
DELETE FROM attachments WHERE conversation_id IS NULL
AND created_at < clock_timestamp() - make_interval(secs => %(seconds)s) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class AttachmentRules:
    """How large and of which types a file of ours may be, and at which addresses it is found."""

    max_bytes: int
    types: tuple[str, ...]
    urls: SignedUrls

    @classmethod
    def of(cls, settings: Settings) -> "AttachmentRules | None":
        """From the settings; None where addresses cannot be signed."""
        urls = SignedUrls.of(settings)
        return cls(settings.max_attachment_bytes, settings.attachment_types, urls) if urls else None

    def make(self, name: str, mime_type: str, *, size: int | None, uploaded: bool) -> Attachment:
        """A new attachment, with an address to upload it to unless it has been. Raises Invalid and TooLarge."""
        mime_type = mime_type.partition(";")[0].strip().lower()
        if mime_type not in self.types:
            raise Invalid("Files of this type cannot be attached.")
        if size is not None and size > self.max_bytes:
            raise TooLarge(f"A file has at most {self.max_bytes} bytes.")
        if size is not None and size < 1:
            raise Invalid("The file is empty.")
        attachment_id = new_id("atc")
        upload = AttachmentUploadDescriptor(url=AnyUrl(self.urls.make("PUT", attachment_id)), method="PUT")
        fields: dict[str, Any] = {
            "id": attachment_id,
            "name": clean_text(name).strip()[:MAX_NAME] or "file",
            "mime_type": mime_type,
            "upload_descriptor": None if uploaded else upload,
        }
        if mime_type.startswith("image/"):
            return ImageAttachment(**fields, preview_url=AnyUrl(self.urls.make("GET", attachment_id)))
        return FileAttachment(**fields)


async def save(
    connection: Connection, user_id: str, attachment: Attachment, *, size: int = 0, uploaded: bool = True
) -> None:
    """Insert or update; raises NotFound for another user's, and for one bound to another conversation.

    `uploaded` is for a new one: False as long as its bytes are awaited here.
    """
    stored = json.loads(to_stored(attachment))
    parameters = {
        "id": stored["id"],
        "user_id": user_id,
        "conversation_id": stored.get("thread_id"),
        "name": stored["name"],
        "mime_type": stored["mime_type"],
        "size": size,
        "attachment": Jsonb(stored),
        "uploaded": uploaded,
    }
    try:
        saved = (await connection.execute(_SAVE, parameters)).rowcount
    except errors.InsufficientPrivilege:
        # The row that has this id is one that its user may not even see.
        raise NotFound from None
    if not saved:
        raise NotFound


async def bind(connection: Connection, user_id: str, conversation_id: str, ids: list[str]) -> list[dict[str, Any]]:
    """Give these attachments to the conversation, inside the caller's transaction; their JSON in the order asked.

    Raises NotFound for one that is not the user's or is bound elsewhere, Invalid for one without its bytes.
    """
    if not ids:
        return []
    ids = list(dict.fromkeys(ids))
    parameters = {"ids": ids, "user_id": user_id, "conversation_id": conversation_id}
    rows = {row["id"]: row for row in await (await connection.execute(_BIND, parameters)).fetchall()}
    if len(rows) < len(ids):
        raise NotFound
    if any(row["uploaded_at"] is None for row in rows.values()):
        raise Invalid("An attachment has not been uploaded yet.")
    return [rows[attachment_id]["attachment"] for attachment_id in ids]


async def one(connection: Connection, user_id: str, attachment_id: str) -> Row:
    """The user's attachment. Raises NotFound."""
    row = await any_one(connection, attachment_id)
    if row["user_id"] != user_id:
        raise NotFound
    return row


async def any_one(connection: Connection, attachment_id: str) -> Row:
    """The attachment, whoever's it is: for an address that was signed. Raises NotFound."""
    query = "SELECT * FROM attachments WHERE id = %(id)s"
    row = await (await connection.execute(query, {"id": attachment_id})).fetchone()
    if row is None:
        raise NotFound
    return row


async def uploaded(connection: Connection, attachment_id: str) -> Row:
    """Its bytes are there now. Raises NotFound where they were before: a file does not change."""
    row = await (await connection.execute(_UPLOADED, {"id": attachment_id})).fetchone()
    if row is None:
        raise NotFound
    return row


async def of_conversation(connection: Connection, user_id: str, conversation_id: str) -> list[str]:
    """The ids of what is attached in it."""
    query = "SELECT id FROM attachments WHERE conversation_id = %(id)s AND user_id = %(user_id)s"
    rows = await (await connection.execute(query, {"id": conversation_id, "user_id": user_id})).fetchall()
    return [row["id"] for row in rows]


async def delete(connection: Connection, user_id: str, attachment_id: str) -> None:
    """Delete the row. Raises NotFound."""
    query = "DELETE FROM attachments WHERE id = %(id)s AND user_id = %(user_id)s"
    if (await connection.execute(query, {"id": attachment_id, "user_id": user_id})).rowcount == 0:
        raise NotFound


async def forget_unbound(connection: Connection, *, seconds: float) -> list[str]:
    """Delete the rows of what no message has carried for so long; their ids."""
    rows = await (await connection.execute(_FORGET_UNBOUND, {"seconds": seconds})).fetchall()
    return [row["id"] for row in rows]


async def without_row(connection: Connection, names: list[str]) -> list[str]:
    """Those of these names that are no attachment's."""
    query = "SELECT id FROM attachments WHERE id = ANY(%(names)s)"
    rows = await (await connection.execute(query, {"names": names})).fetchall()
    return sorted(set(names) - {row["id"] for row in rows})
