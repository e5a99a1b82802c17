"""Going back to a message: what came after it is gone, and the run that answers it anew owns it."""

from shared.database import Connection, Row
from shared.messages import Writer

_FORGET_TURNS = """
DELETE FROM turns t USING conversations c
WHERE t.conversation_id = %(conversation_id)s AND t.position > %(position)s
  AND c.id = t.conversation_id AND c.user_id = %(user_id)s
"""

_FORGET_MESSAGES = """
DELETE FROM messages m USING conversations c
WHERE m.conversation_id = %(conversation_id)s AND m.position > %(position)s
  AND c.id = m.conversation_id AND c.user_id = %(user_id)s
"""

_TAKE_OVER = """
UPDATE messages m SET run_id = %(run_id)s, attempt = 0 FROM conversations c
WHERE m.conversation_id = %(conversation_id)s AND m.id = %(id)s
  AND c.id = m.conversation_id AND c.user_id = %(user_id)s
"""


async def to_message(connection: Connection, writer: Writer, conversation_id: str, message: Row) -> None:
    """Delete what stands after this message; it becomes the writer's run's own, as if it had just been said.

    Else the next turn's input would hold it twice: as this run's message and as an earlier turn rebuilt.
    """
    parameters = {
        "conversation_id": conversation_id,
        "user_id": writer.user_id,
        "position": message["position"],
        "id": message["id"],
        "run_id": writer.run_id,
    }
    for statement in (_FORGET_TURNS, _FORGET_MESSAGES, _TAKE_OVER):
        await connection.execute(statement, parameters)
