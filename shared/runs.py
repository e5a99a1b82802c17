"""Runs: the record of each answer, from admission to its one terminal status.

queued ──claim──> running ──finish──> completed | failed | cancelled
   ^                 |
   └── hand over, or the lease lapses

Times are the database's (`clock_timestamp()`: `now()` stands still inside a transaction). `attempt` counts
the claims and is the fencing token: whatever a worker writes carries it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from psycopg import AsyncCursor, errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared.database import Connection, Database, Row, Scope
from shared.errors import ConversationBusy, NotClaimable, NotFound, StaleAttempt
from shared.shares import ANY_NUMBER, NEXT, ROOM, bounds
from shared.tables import Run

LEASE_SECONDS = 4.0


class RunStatus(StrEnum):
    """Where a run stands; the last three are for ever."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class RunKind(StrEnum):
    """What the worker is to do: answer, carry out an action, or run a team's code for a JSON reply."""

    RESPOND = "respond"
    ACTION = "action"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed run, and the rows that whoever carries it out asks for first: its conversation's (without a message's
    id) and its message's or widget's (`id`, `type`, `item`)."""

    run: Run
    rows: dict[tuple[str, str | None], Row] = field(default_factory=dict)


_INSERT = f"""
INSERT INTO runs (id, conversation_id, user_id, kind, request, deadline, rung_at)
SELECT %(id)s, %(conversation_id)s, %(user_id)s, %(kind)s, %(request)s,
       clock_timestamp() + make_interval(secs => %(deadline)s),
       CASE WHEN {ROOM} THEN clock_timestamp() END
-- Not in another user's conversation: the index would tell that it is busy.
WHERE %(conversation_id)s::text IS NULL
   OR EXISTS (SELECT FROM conversations WHERE id = %(conversation_id)s AND user_id = %(user_id)s)
RETURNING *
"""

_CLAIM = f"""
WITH moved AS (
    UPDATE runs SET status = 'running', attempt = attempt + 1, owner = %(owner)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
        started_at = coalesce(started_at, clock_timestamp())
    WHERE id = %(id)s AND status = 'queued'
    RETURNING *
), {NEXT}
SELECT moved.*, next.id AS next_id, row_to_json(c) AS conversation,
    json_build_object('id', m.id, 'type', m.type, 'item', m.item) AS message
FROM moved
LEFT JOIN next ON true
LEFT JOIN conversations c ON c.id = moved.conversation_id AND c.user_id = moved.user_id
LEFT JOIN messages m ON m.conversation_id = c.id
    AND m.id = coalesce(moved.request->>'message_id', moved.request->>'sender_id')
"""

_FINISH = f"""
WITH moved AS (
    UPDATE runs SET status = %(status)s, finished_at = clock_timestamp(), owner = NULL, lease_until = NULL,
        usage = %(usage)s, error = %(error)s, result = %(result)s
    WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'
    RETURNING *
), {NEXT}
SELECT next.id AS next_id FROM moved LEFT JOIN next ON true
"""

_HAND_OVER = """
UPDATE runs SET status = 'queued', owner = NULL, lease_until = NULL, rings = 0, rung_at = clock_timestamp()
WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'
"""

USAGE = """
(SELECT CASE WHEN count(*) > 0 THEN jsonb_build_object(
    'requests', count(*),
    'input_tokens', coalesce(sum((response->'usage'->>'input_tokens')::bigint), 0),
    'output_tokens', coalesce(sum((response->'usage'->>'output_tokens')::bigint), 0),
    'total_tokens', coalesce(sum((response->'usage'->>'total_tokens')::bigint), 0)) END
FROM run_steps WHERE run_id = runs.id)
"""
"""What a run's journal says it took, where it is ended by somebody else than its worker."""

_CANCEL = f"""
UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
    status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
    finished_at = CASE WHEN status = 'queued' THEN clock_timestamp() END,
    usage = CASE WHEN status = 'queued' THEN {USAGE} END
WHERE id = %(id)s AND user_id = %(user_id)s AND status IN ('queued', 'running')
RETURNING *
"""

_NEXT_GENERATION = """
UPDATE runs SET generation = generation + 1
WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running' RETURNING generation
"""


class Runs:
    """The runs' records.

    At most `at_once` runs of one user are carried out at a time, within what is claimed at that moment. A claim and
    an end make room for that user's next one, which `ring` is then told of; where it cannot be, the sweeper rings.
    """

    def __init__(
        self,
        database: Database,
        *,
        at_once: int = ANY_NUMBER,
        ring: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database, self._at_once, self._ring = database, at_once, ring

    async def get(self, user_id: str, run_id: str) -> Run:
        """A user's run. Raises NotFound."""
        sql = "SELECT * FROM runs WHERE id = %(id)s AND user_id = %(user_id)s"
        run = await _one(self._database.of(user_id), sql, {"id": run_id, "user_id": user_id})
        if run is None:
            raise NotFound
        return run

    async def claim(self, run_id: str, owner: str) -> Claim:
        """Take a queued run: the next attempt is the caller's. Raises NotClaimable."""
        parameters = {"id": run_id, "owner": owner, "lease": LEASE_SECONDS}
        row = await self._database.across_users.one(_CLAIM, {**parameters, **bounds(self._at_once)})
        if row is None:
            raise NotClaimable(run_id)
        if next_id := row.pop("next_id"):
            self._ring(next_id)
        return _claim(row)

    async def finish(
        self,
        run: Run,
        status: RunStatus,
        *,
        usage: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
        result: dict[str, Any] | None = None,
    ) -> bool:
        """Give the run its terminal status; False if this attempt no longer holds it."""
        parameters = {"id": run.id, "attempt": run.attempt, "status": status}
        parts = {"usage": usage, "error": error, "result": result}
        wrapped = {name: Jsonb(value) if value is not None else None for name, value in parts.items()}
        row = await self._database.of(run.user_id).one(_FINISH, {**parameters, **wrapped, **bounds(self._at_once)})
        if row is None:
            return False
        if row["next_id"]:
            self._ring(row["next_id"])
        return True

    async def hand_over(self, run: Run) -> bool:
        """Give the run back to the queue; False if this attempt no longer holds it."""
        return await self._database.of(run.user_id).run(_HAND_OVER, {"id": run.id, "attempt": run.attempt}) == 1

    async def next_generation(self, run: Run) -> int:
        """The number of a new life of the run's log; only the attempt that holds the run gets one."""
        parameters = {"id": run.id, "attempt": run.attempt}
        row = await self._database.of(run.user_id).one(_NEXT_GENERATION, parameters)
        if row is None:
            raise StaleAttempt(run.id)
        return int(row["generation"])

    async def request_cancel(self, user_id: str, run_id: str) -> Run:
        """Ask for the run's end: a queued run ends here, a running one through its worker. Raises NotFound."""
        run = await _one(self._database.of(user_id), _CANCEL, {"id": run_id, "user_id": user_id})
        return run or await self.get(user_id, run_id)

    async def active(self, user_id: str, conversation_id: str) -> str | None:
        """The id of the run that this conversation is being answered by."""
        sql = """
            SELECT id FROM runs WHERE conversation_id = %(id)s AND user_id = %(user_id)s
            AND status IN ('queued', 'running') AND kind <> 'call'
        """
        row = await self._database.of(user_id).one(sql, {"id": conversation_id, "user_id": user_id})
        return row["id"] if row else None


async def insert(
    connection: Connection,
    *,
    run_id: str,
    user_id: str,
    conversation_id: str | None,
    kind: RunKind,
    request: dict[str, Any],
    deadline: float,
    at_once: int = ANY_NUMBER,
) -> AsyncCursor[Run]:
    """A queued run's record, inside the caller's transaction; none where the conversation is not the user's.

    It is rung for at once unless its user has two waiting already, or `at_once` in progress.

    Raises ConversationBusy where it is answering already (law 3); among statements that go out together psycopg's own
    UniqueViolation comes later.
    """
    parameters = {"id": run_id, "user_id": user_id, "conversation_id": conversation_id, "kind": kind}
    cursor = connection.cursor(row_factory=class_row(Run))
    try:
        more = {"request": Jsonb(request), "deadline": deadline, **bounds(at_once)}
        return await cursor.execute(_INSERT, {**parameters, **more})
    except errors.UniqueViolation:
        raise ConversationBusy from None


def _claim(row: Row) -> Claim:
    conversation, message = row.pop("conversation"), row.pop("message")
    run = Run(**row)
    rows: dict[tuple[str, str | None], Row] = {}
    if conversation is not None:
        rows[conversation["id"], None] = conversation
        if message["id"] is not None:
            rows[conversation["id"], message["id"]] = message
    return Claim(run, rows)


async def _one(scope: Scope, sql: str, parameters: dict[str, Any]) -> Run | None:
    async with scope.connection() as connection:
        return await (await connection.cursor(row_factory=class_row(Run)).execute(sql, parameters)).fetchone()
