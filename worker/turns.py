"""The raw agent items of each turn: what the next turn's model input is made of, to the letter.

ChatKit's items alone lose tool calls and what providers attach to them (Gemini's `thought_signature`). A turn
that left none behind (it failed, or was answered by another server) is rebuilt from its messages.
"""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from agents import TResponseInputItem
from psycopg.types.json import Json

from shared.database import Database, Row
from shared.errors import StaleAttempt
from shared.messages import FENCE
from worker.conversation_store import known
from worker.converter import Converter
from worker.current_run import current_run
from worker.tokens import CHARACTERS_PER_TOKEN

MAX_MESSAGES = 400

_SAVE = f"""
WITH fence AS ({FENCE})
INSERT INTO turns (run_id, conversation_id, position, items)
SELECT %(run_id)s, %(conversation_id)s, c.next_position, %(items)s
FROM conversations c, fence WHERE c.id = %(conversation_id)s AND c.user_id = %(user_id)s
ON CONFLICT (run_id) DO UPDATE SET items = excluded.items, position = excluded.position
"""

_MESSAGES = """
SELECT m.id, m.type, m.run_id, m.item FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.conversation_id = %(conversation_id)s AND c.user_id = %(user_id)s
  AND m.run_id IS DISTINCT FROM %(run_id)s
ORDER BY m.position DESC LIMIT %(limit)s
"""

_TURNS = "SELECT run_id, items FROM turns WHERE conversation_id = %(conversation_id)s AND run_id = ANY(%(run_ids)s)"


class Turns:
    """The turns of the current run's conversation."""

    def __init__(self, database: Database, *, budget: int) -> None:
        self._database, self._characters = database, budget * CHARACTERS_PER_TOKEN

    async def history(self) -> list[TResponseInputItem]:
        """The turns before this run's, oldest first; whole turns are left out from the oldest past the budget."""
        run = current_run().run
        scope = {"conversation_id": run.conversation_id, "user_id": run.user_id, "run_id": run.id}
        own = self._database.of(run.user_id)
        with current_run().failures_kept():
            rows = await own.all(_MESSAGES, {**scope, "limit": MAX_MESSAGES})
            run_ids = list({row["run_id"] for row in rows if row["run_id"]})
            found = await own.all(_TURNS, {**scope, "run_ids": run_ids}) if run_ids else []
        kept = {row["run_id"]: row["items"] for row in found}
        turns: list[list[Any]] = []
        left = self._characters
        for run_id, group in groupby(rows, key=lambda row: row["run_id"]):
            turn = kept[run_id] if run_id in kept else await _rebuilt(list(group))
            left -= len(json.dumps(turn))
            if left < 0:
                break
            turns.append(turn)
        return [item for turn in reversed(turns) for item in turn]

    async def save(self, items: Sequence[Any]) -> None:
        """Keep this run's items: its input and everything the agent made of it. Raises StaleAttempt."""
        current = current_run()
        writer = current.writer
        parameters = {
            "run_id": writer.run_id,
            "attempt": writer.attempt,
            "user_id": writer.user_id,
            "conversation_id": current.run.conversation_id,
            "items": Json(list(items)),
        }
        with current.failures_kept():
            if not await self._database.of(writer.user_id).run(_SAVE, parameters):
                raise StaleAttempt(writer.run_id)


async def _rebuilt(rows: list[Row]) -> list[TResponseInputItem]:
    return await Converter().to_agent_input(known(list(reversed(rows))))


def answered_calls(items: Sequence[Any]) -> list[Any]:
    """The items without tool calls that have no output: no provider accepts one left unanswered."""
    answered = {item.get("call_id") for item in items if item.get("type") == "function_call_output"}
    return [item for item in items if item.get("type") != "function_call" or item.get("call_id") in answered]
