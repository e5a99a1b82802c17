"""Attachments' rows: each found only by its owner; the bytes live elsewhere."""

import json

from psycopg.types.json import Jsonb

from shared.database import Connection, Row
from shared.errors import NotFound

_SAVE = """
INSERT INTO attachments (id, user_id, conversation_id, name, mime_type, size, attachment)
VALUES (%(id)s, %(user_id)s, %(conversation_id)s, %(name)s, %(mime_type)s, %(size)s, %(attachment)s)
ON CONFLICT (id) DO UPDATE SET
    conversation_id = coalesce(attachments.conversation_id, excluded.conversation_id),
    attachment = excluded.attachment
WHERE attachments.user_id = excluded.user_id
  AND (attachments.conversation_id IS NULL OR attachments.conversation_id = excluded.conversation_id)
"""


async def save(connection: Connection, user_id: str, attachment: bytes, *, size: int = 0) -> None:
    """Insert or update; raises NotFound for another user's, and for one bound to another conversation."""
    parsed = json.loads(attachment)
    parameters = {
        "id": parsed["id"],
        "user_id": user_id,
        "conversation_id": parsed.get("thread_id"),
        "name": parsed["name"],
        "mime_type": parsed["mime_type"],
        "size": size,
        "attachment": Jsonb(parsed),
    }
    if (await connection.execute(_SAVE, parameters)).rowcount == 0:
        raise NotFound


async def one(connection: Connection, user_id: str, attachment_id: str) -> Row:
    """The row. Raises NotFound."""
    sql = "SELECT * FROM attachments WHERE id = %(id)s AND user_id = %(user_id)s"
    row = await (await connection.execute(sql, {"id": attachment_id, "user_id": user_id})).fetchone()
    if row is None:
        raise NotFound
    return row


async def delete(connection: Connection, user_id: str, attachment_id: str) -> None:
    """Delete the row. Raises NotFound."""
    sql = "DELETE FROM attachments WHERE id = %(id)s AND user_id = %(user_id)s"
    if (await connection.execute(sql, {"id": attachment_id, "user_id": user_id})).rowcount == 0:
        raise NotFound
