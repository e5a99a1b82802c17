"""Feedback: who thought what of which messages, and when."""

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.errors import NotFound
from shared.ids import new_id

_SAVE = """
INSERT INTO feedback (id, user_id, conversation_id, item_ids, kind)
SELECT %(id)s, %(user_id)s, c.id, %(items)s, %(kind)s FROM conversations c
WHERE c.id = %(conversation_id)s AND c.user_id = %(user_id)s
  AND (SELECT count(*) FROM messages m WHERE m.conversation_id = c.id AND m.id = ANY(%(item_ids)s)) = %(distinct)s
"""


async def save(connection: Connection, user_id: str, conversation_id: str, *, item_ids: list[str], kind: str) -> None:
    """Keep it. Raises NotFound unless every item is a message of this conversation of the user's."""
    parameters = {
        "id": new_id("fb"),
        "user_id": user_id,
        "conversation_id": conversation_id,
        "item_ids": item_ids,
        "items": Jsonb(item_ids),
        "distinct": len(set(item_ids)),
        "kind": kind,
    }
    if (await connection.execute(_SAVE, parameters)).rowcount == 0:
        raise NotFound
