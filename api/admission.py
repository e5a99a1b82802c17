"""Admitting a run: the request's prelude, the run and its idempotency key in one transaction.

After the commit nothing can be lost, only late: the log's first events and the ring follow it, and where they
fail the worker begins the log anew and the sweeper rings.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import structlog
from psycopg import AsyncCursor
from psycopg.errors import UniqueViolation

from api.cancel import Cancel
from api.gate import Gate
from api.prelude import Prelude, Refused
from api.rates import Counting, Rates
from api.submission import Submission
from shared import conversations, runs, tracing
from shared.channels import REDIS_AWAY
from shared.database import Connection, Database, Row
from shared.errors import ConversationBusy, ConversationLocked, IdempotencyMismatch, NotFound, Problem
from shared.event_log import EventLog
from shared.ids import new_id
from shared.messages import Writer
from shared.queue import Queue
from shared.records import Event, Record
from shared.runs import RunKind, Runs
from shared.settings import BusyPolicy
from shared.tables import Run

logger = structlog.get_logger()

INTERRUPT_SECONDS = 6.0
"""How long a second message waits for the first one's answer to end; a dead worker's takes up to five."""

_REMEMBER = """
INSERT INTO idempotency_keys (user_id, key, run_id, fingerprint)
SELECT user_id, %(key)s, id, %(fingerprint)s FROM runs WHERE id = %(run_id)s AND user_id = %(user_id)s
"""

_FORGET = """
DELETE FROM idempotency_keys
WHERE user_id = %(user_id)s AND key = %(key)s AND created_at <= clock_timestamp() - interval '24 hours'
"""

_RECALL = """
SELECT k.fingerprint AS fingerprint_of_key, r.* FROM idempotency_keys k JOIN runs r ON r.id = k.run_id
WHERE k.user_id = %(user_id)s AND k.key = %(key)s AND k.created_at > clock_timestamp() - interval '24 hours'
"""


class Admission:
    """Admits runs: one per conversation at a time (law 3)."""

    def __init__(
        self,
        database: Database,
        log: EventLog,
        queue: Queue,
        cancel: Cancel,
        gate: Gate,
        rates: Rates,
        *,
        deadline: float,
        at_once: int,
        tail: float,
        busy_policy: BusyPolicy,
    ) -> None:
        self._database, self._log, self._queue = database, log, queue
        self._cancel, self._gate, self._rates, self._runs = cancel, gate, rates, Runs(database)
        self._deadline, self._at_once, self._tail, self._busy_policy = deadline, at_once, tail, busy_policy
        self.admitted: Counter[str] = Counter(dict.fromkeys(RunKind, 0))
        """Runs that were admitted here, by their kind."""

    async def admit(self, submission: Submission, prelude: Prelude) -> Run:
        """The queued run, or the one that the same Idempotency-Key admitted before.

        Raises Unavailable, TooMany, NotFound, ConversationBusy, ConversationLocked, IdempotencyMismatch, and what the
        prelude refuses.
        """
        with tracing.span("admission", {"run.kind": prelude.kind}, kind=tracing.PRODUCER) as span:
            run = await self._admit(submission, prelude)
            span.set_attribute("run.id", run.id)
        return run

    async def _admit(self, submission: Submission, prelude: Prelude) -> Run:
        run_id, begun = new_id("run"), time.monotonic()
        # Asked of Redis while Postgres is asked other things, and awaited before anything is stored.
        counting = self._rates.submit(submission.principal.user_id)
        await self._gate.check_queue()
        while True:
            try:
                run, events = await self._commit(run_id, submission, prelude, counting)
                break
            except ConversationBusy:
                await self._make_way(submission, prelude, time.monotonic() - begun)
        if events is not None:
            self.admitted[run.kind] += 1
            await self._announce(run, events)
        else:
            # Sent again, it is no new message, and not refused as one too many; but it is a request.
            await self._rates.request(run.user_id)
        return run

    async def _commit(
        self, run_id: str, submission: Submission, prelude: Prelude, counting: Counting
    ) -> tuple[Run, list[Record] | None]:
        """The run and its first events. Whatever is in the way, a key that was used before has its answer already."""
        try:
            await counting.check()
            return await self._store(run_id, submission, prelude)
        except (Problem, Refused, UniqueViolation) as refusal:
            if before := await self._recall(submission):
                return before, None
            if isinstance(refusal, UniqueViolation):
                raise ConversationBusy from None
            raise

    async def _store(self, run_id: str, submission: Submission, prelude: Prelude) -> tuple[Run, list[Record]]:
        """Everything in one transaction. With a blind prelude each statement is on its way before an answer is back."""
        user_id = submission.principal.user_id
        scope = self._database.of(user_id)
        async with scope.together() if prelude.blind else scope.transaction() as connection:
            if submission.idempotency_key:
                await connection.execute(_FORGET, _key(submission))
            asked = _Asked(
                await self._gate.ask_of_user(connection, user_id),
                await _open_conversation(connection, user_id, prelude),
                await runs.insert(
                    connection,
                    run_id=run_id,
                    user_id=user_id,
                    conversation_id=prelude.conversation_id,
                    kind=prelude.kind,
                    request={**submission.kept(), **prelude.request, "created": _text(prelude.created)},
                    deadline=prelude.deadline or self._deadline,
                    at_once=self._at_once,
                ),
            )
            run = None if prelude.blind else await self._let_in(asked, prelude)
            events = await prelude.apply(connection, Writer(run_id, 0, user_id))
            if submission.idempotency_key:
                await connection.execute(_REMEMBER, {**_key(submission), "run_id": run_id})
            run = run or await self._let_in(asked, prelude)
        created: list[Record] = [Event(prelude.created)] if prelude.created else []
        return run, created + events

    async def _let_in(self, asked: "_Asked", prelude: Prelude) -> Run:
        """The run, if nothing speaks against it. Raises TooMany, BudgetSpent, NotFound and ConversationLocked."""
        self._gate.check_user(await asked.standing.fetchone(), spends=prelude.kind is not RunKind.CALL)
        if asked.conversation is not None:
            _check_open(await asked.conversation.fetchone(), prelude)
        run = await asked.inserted.fetchone()
        if run is None:
            raise NotFound
        return run

    async def _recall(self, submission: Submission) -> Run | None:
        """The run that this key has admitted before. Raises IdempotencyMismatch where it was for another body."""
        if not submission.idempotency_key:
            return None
        row = await self._database.of(submission.principal.user_id).one(_RECALL, _key(submission))
        if row is not None and row.pop("fingerprint_of_key") != submission.fingerprint:
            raise IdempotencyMismatch
        return Run(**row) if row is not None else None

    async def _announce(self, run: Run, events: list[Record]) -> None:
        """Log what the prelude did, so that its user sees it however busy the workers are; then ring."""
        try:
            expires_at = run.deadline.timestamp() + self._tail
            await self._log.begin(run.id, attempt=0, generation=run.generation, expires_at=expires_at, records=events)
            if run.rung_at is not None:
                await self._queue.enqueue(run.id)
        except REDIS_AWAY as error:
            logger.warning("run cannot be announced", run=run.id, error=type(error).__name__)

    async def _make_way(self, submission: Submission, prelude: Prelude, waited: float) -> None:
        """The conversation is answering: refuse, or ask that answer to end. Raises ConversationBusy."""
        user_id = submission.principal.user_id
        active = await self._runs.active(user_id, prelude.conversation_id or "")
        if active is None:
            return
        impatient = waited >= prelude.patience
        reject = submission.resumable if self._busy_policy == "auto" else self._busy_policy == "reject"
        if waited > INTERRUPT_SECONDS or (reject and impatient):
            raise ConversationBusy(active)
        if impatient:
            await self._cancel(user_id, active)
        await asyncio.sleep(0.05)


@dataclass(frozen=True)
class _Asked:
    """What Postgres was asked, and may have answered by now."""

    standing: AsyncCursor[Row]
    conversation: AsyncCursor[Row] | None
    inserted: AsyncCursor[Run]


def _key(submission: Submission) -> dict[str, Any]:
    user_id, key = submission.principal.user_id, submission.idempotency_key
    return {"user_id": user_id, "key": key, "fingerprint": submission.fingerprint}


async def _open_conversation(connection: Connection, user_id: str, prelude: Prelude) -> AsyncCursor[Row] | None:
    """Make the conversation if it is new; the row of one that should be there."""
    if prelude.conversation_id is None:
        return None
    if prelude.created:
        await conversations.insert(connection, user_id, prelude.conversation_id)
        return None
    return await conversations.lock(connection, user_id, prelude.conversation_id)


def _check_open(row: Row | None, prelude: Prelude) -> None:
    if row is None:
        raise NotFound
    if prelude.speaks and row["status"]["type"] != "active":
        raise ConversationLocked


def _text(data: bytes | None) -> str | None:
    return data.decode() if data else None
