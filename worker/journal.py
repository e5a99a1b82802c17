"""The journal: what the agent has already done in this run, so that no attempt asks or does it again.

A model response is recorded before anything in it is shown as done or acted on; a tool call is recorded when
it begins and when it is finished. Places are counted, never named by a provider's ids: `path` is which of the
run's `Runner` calls (nested ones below the tool call that made them), `n` its n-th model call, `index` the
tool call's place in that response.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Json

from shared.daily_tokens import COUNT
from shared.database import Connection, Database, Row
from shared.errors import StaleAttempt
from shared.messages import FENCE
from shared.tables import Run
from shared.wire import clean
from worker.current_run import CurrentRun

_INSERT_STEP = """
INSERT INTO run_steps (run_id, path, n, attempt, fingerprint, response)
SELECT %(run_id)s, %(path)s, %(n)s, %(attempt)s, %(fingerprint)s, %(response)s FROM fence
"""
_STEP = f"WITH fence AS ({FENCE}) {_INSERT_STEP}"
_COUNTED_STEP = f"WITH fence AS ({FENCE}), step AS ({_INSERT_STEP} RETURNING 1) {COUNT}"

_BEGIN = f"""
WITH fence AS ({FENCE}),
wanted AS (SELECT FROM runs WHERE id = %(run_id)s AND cancel_requested_at IS NULL),
begun AS (
    INSERT INTO tool_calls (run_id, path, n, index, attempt, name, idempotency_key)
    SELECT %(run_id)s, %(path)s, %(n)s, %(index)s, %(attempt)s, %(name)s, %(key)s FROM fence, wanted
    ON CONFLICT (run_id, path, n, index) DO UPDATE SET attempt = excluded.attempt, started_at = clock_timestamp()
    RETURNING 1
)
SELECT EXISTS (SELECT FROM fence) AS held, EXISTS (SELECT FROM begun) AS begun
"""

_FINISH = f"""
WITH fence AS ({FENCE})
UPDATE tool_calls SET outcome = %(outcome)s, finished_at = clock_timestamp(), attempt = %(attempt)s
WHERE run_id = %(run_id)s AND path = %(path)s AND n = %(n)s AND index = %(index)s AND EXISTS (SELECT FROM fence)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One tool call of a run."""

    run_id: str
    path: str
    n: int
    index: int

    @property
    def key(self) -> str:
        """The idempotency key: a hash of the place, so the same for every attempt."""
        return hashlib.sha256(f"{self.run_id}\x1f{self.path}\x1f{self.n}\x1f{self.index}".encode()).hexdigest()[:40]


class Journal:
    """One attempt's view of its run's journal. A failure of Postgres or of the fence is kept in the current run."""

    def __init__(self, database: Database, current: CurrentRun) -> None:
        self._own, self._current = database.of(current.run.user_id), current
        self._steps: dict[tuple[str, int], Row] = {}
        self._calls: dict[tuple[str, int, int], Row] = {}
        self._places: dict[tuple[str, str], tuple[int, int]] = {}
        self._runner_calls: dict[str, int] = {}
        self._asked_for: set[tuple[str, int, int]] = set()
        self._usages: list[dict[str, Any]] = []

    async def load(self) -> None:
        """Read what earlier attempts have recorded."""
        run: Run = self._current.run
        steps = await self._own.all("SELECT * FROM run_steps WHERE run_id = %(id)s", {"id": run.id})
        calls = await self._own.all("SELECT * FROM tool_calls WHERE run_id = %(id)s", {"id": run.id})
        self._steps = {(row["path"], row["n"]): row for row in steps}
        self._calls = {(row["path"], row["n"], row["index"]): row for row in calls}
        self._asked_for.update(self._calls)
        self._usages = [row["response"].get("usage") or {} for row in steps]

    @property
    def empty(self) -> bool:
        """Whether no model response is recorded: nothing that was said could be said again."""
        return not self._steps

    def next_path(self, parent: str) -> str:
        """The path of the next `Runner` call below this one."""
        number = self._runner_calls[parent] = self._runner_calls.get(parent, 0) + 1
        return f"{parent}/{number}" if parent else str(number)

    def step(self, path: str, n: int) -> Row | None:
        """The recorded response (`fingerprint`, `response`) of a model call."""
        return self._steps.get((path, n))

    async def record_step(self, path: str, n: int, fingerprint: str, response: dict[str, Any], tokens: int = 0) -> None:
        """Commit a model response, and that it took so many of its user's tokens. Raises StaleAttempt."""
        counted = {"user_id": self._current.run.user_id, "tokens": tokens}
        query, more = (_COUNTED_STEP, counted) if self._current.bounds.counts_tokens else (_STEP, {})
        await self._write(query, path=path, n=n, fingerprint=fingerprint, response=Json(clean(response)), **more)
        self._usages.append(response.get("usage") or {})

    @property
    def usage(self) -> dict[str, int] | None:
        """Requests and tokens of the run, in all its attempts; None where no model has answered."""
        if not self._usages:
            return None
        names = ("input_tokens", "output_tokens", "total_tokens")
        sums = {name: sum(one.get(name) or 0 for one in self._usages) for name in names}
        return {"requests": len(self._usages), **sums}

    def learn_calls(self, path: str, n: int, call_ids: list[str]) -> None:
        """The call ids of a response, in order: how a tool's place is found when it is invoked."""
        for index, call_id in enumerate(call_ids):
            self._places[path, call_id] = (n, index)
            self._asked_for.add((path, n, index))

    @property
    def tool_calls(self) -> int:
        """How many tool calls the run's models have asked for, in all its attempts; one that is said again is one."""
        return len(self._asked_for)

    def place(self, path: str, call_id: str) -> Place | None:
        """Where this call stands; None for one that no recorded response has asked for."""
        found = self._places.get((path, call_id))
        return Place(self._current.run.id, path, *found) if found else None

    def call(self, place: Place) -> Row | None:
        """The recorded call, finished if it has an `outcome`."""
        return self._calls.get((place.path, place.n, place.index))

    async def begin(self, place: Place, name: str) -> bool:
        """Commit that the tool is about to run; False if a Stop was asked for. Raises StaleAttempt."""
        parameters = {"path": place.path, "n": place.n, "index": place.index, "name": name, "key": place.key}
        with self._current.failures_kept():
            row = await self._own.one(_BEGIN, {**self._fence(), **parameters})
            if row is None or not row["held"]:
                raise StaleAttempt(place.run_id)
        return bool(row["begun"])

    async def finish(self, place: Place, outcome: dict[str, Any]) -> None:
        """Commit what came of the tool. Raises StaleAttempt."""
        await self._write(_FINISH, path=place.path, n=place.n, index=place.index, outcome=Json(clean(outcome)))

    async def finish_in(self, connection: Connection, place: Place, outcome: dict[str, Any]) -> None:
        """The same inside the caller's transaction."""
        parameters = {**self._fence(), "path": place.path, "n": place.n, "index": place.index}
        changed = await connection.execute(_FINISH, {**parameters, "outcome": Json(clean(outcome))})
        with self._current.failures_kept():
            if changed.rowcount == 0:
                raise StaleAttempt(place.run_id)

    async def _write(self, query: str, **parameters: Any) -> None:
        with self._current.failures_kept():
            if await self._own.run(query, {**self._fence(), **parameters}) == 0:
                raise StaleAttempt(self._current.run.id)

    def _fence(self) -> dict[str, Any]:
        return {"run_id": self._current.run.id, "attempt": self._current.run.attempt}
