"""A run's life in order, from what its rows say: who did what when, how long what was said is, and never the words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.database import Database, Row

_RUN = "SELECT * FROM runs WHERE id = %(id)s"

_STEPS = """
SELECT created_at, attempt, path, n, response->>'model' AS model,
    (response#>>'{usage,input_tokens}')::int AS input_tokens,
    (response#>>'{usage,output_tokens}')::int AS output_tokens,
    (SELECT count(*) FROM json_array_elements(response->'output') o WHERE o->>'type' = 'function_call') AS calls
FROM run_steps WHERE run_id = %(id)s
"""

_TOOLS = """
SELECT started_at, finished_at, attempt, path, n, index, name FROM tool_calls WHERE run_id = %(id)s
"""

_MESSAGES = """
SELECT created_at, attempt, id, type, length(content) AS characters FROM messages WHERE run_id = %(id)s
ORDER BY position
"""


@dataclass(frozen=True)
class Moment:
    """One thing that happened. `attempt` is whose it was, where that is known; 0 is the admission."""

    at: datetime
    what: str
    attempt: int | None
    details: dict[str, Any]


@dataclass(frozen=True)
class Timeline:
    """A run, and its moments by the database's clock."""

    run: Row
    moments: list[Moment]

    @property
    def given_back(self) -> int:
        """How many attempts ended without ending the run: by a crash, at a deploy, or when a server was away."""
        attempts: int = self.run["attempt"]
        return attempts if self.run["status"] == "queued" else max(attempts - 1, 0)


async def timeline_of(database: Database, run_id: str) -> Timeline | None:
    """Whoever's run it is: for an operator alone. None where there is none."""
    run = await database.across_users.one(_RUN, {"id": run_id})
    if run is None:
        return None
    steps, tools, stored = [await database.across_users.all(sql, {"id": run_id}) for sql in (_STEPS, _TOOLS, _MESSAGES)]
    found = [
        *_of_run(run),
        *(_response(row) for row in steps),
        *(moment for row in tools for moment in _tool_call(row)),
        *(_message(row) for row in stored),
    ]
    return Timeline(run, sorted(found, key=lambda moment: moment.at))


def _of_run(run: Row) -> list[Moment]:
    moments = [Moment(run["created_at"], "admitted", 0, {"kind": run["kind"]})]
    if run["started_at"]:
        # Of later claims the record keeps no time; the log lines do.
        moments.append(Moment(run["started_at"], "first claimed", 1, {}))
    if run["status"] == "queued" and run["rung_at"]:
        moments.append(Moment(run["rung_at"], "rung for", None, {"rings": run["rings"]}))
    if run["cancel_requested_at"]:
        moments.append(Moment(run["cancel_requested_at"], "cancel requested", None, {}))
    if run["finished_at"]:
        code = (run["error"] or {}).get("code")
        moments.append(Moment(run["finished_at"], run["status"], run["attempt"], {"error": code} if code else {}))
    return moments


def _response(row: Row) -> Moment:
    named = ("path", "n", "model", "calls", "input_tokens", "output_tokens")
    return Moment(row["created_at"], "model response", row["attempt"], {name: row[name] for name in named})


def _tool_call(row: Row) -> list[Moment]:
    place = {name: row[name] for name in ("name", "path", "n", "index")}
    if row["finished_at"] is None:
        return [Moment(row["started_at"], "tool begun, not finished", row["attempt"], place)]
    took = {"seconds": (row["finished_at"] - row["started_at"]).total_seconds()}
    return [
        Moment(row["started_at"], "tool begun", row["attempt"], place),
        Moment(row["finished_at"], "tool finished", row["attempt"], {**place, **took}),
    ]


def _message(row: Row) -> Moment:
    details = {name: row[name] for name in ("type", "characters", "id")}
    return Moment(row["created_at"], "message stored", row["attempt"], details)
