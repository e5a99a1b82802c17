"""One user's share of the workers: which of somebody's waiting runs are rung for (decision 17).

However much somebody submits, others find two of that user's runs ahead of them in the queue (`SHARE`), and no more
than `at_once` in the workers' slots. A run is rung for when it is admitted if there is room, or else when the claim or
the end of another one has made room; the sweeper rings where nobody did. The parts of those statements stand here.

Counted without a lock: of claims and ends at the same moment some do not see one another, and now and then there is one
more or one fewer.
"""

SHARE = 2
"""How many of a user's waiting runs are rung for at once."""
ANY_NUMBER = 2**31 - 1


def bounds(at_once: int) -> dict[str, int]:
    """The parameters of what is below."""
    return {"share": SHARE, "at_once": at_once}


ROOM = """
(SELECT count(*) FILTER (WHERE status = 'queued') < %(share)s AND count(*) < %(at_once)s
 FROM runs WHERE user_id = %(user_id)s AND status IN ('queued', 'running'))
"""
"""Whether the user's next run is to be rung for as it comes."""

# The statement still sees the run that has `moved` as it was, so that one is counted apart.
NEXT = """
next AS (
    UPDATE runs SET rung_at = clock_timestamp()
    WHERE id = (
        SELECT q.id FROM runs q JOIN moved ON q.user_id = moved.user_id
        WHERE q.status = 'queued' AND q.rung_at IS NULL AND (
            SELECT count(*) FILTER (WHERE r.status = 'queued') < %(share)s
               AND count(*) + (moved.status = 'running')::int < %(at_once)s
            FROM runs r WHERE r.user_id = moved.user_id AND r.id <> moved.id
              AND (r.status = 'running' OR r.status = 'queued' AND r.rung_at IS NOT NULL))
        ORDER BY q.id FOR UPDATE OF q SKIP LOCKED LIMIT 1
    ) RETURNING id
)
"""
"""`moved` is a run that was claimed or has ended; `next` the one whose turn it is now, noted as rung for."""

FORGOTTEN = """
(SELECT min(id) FILTER (WHERE status = 'queued') FROM runs WHERE status IN ('queued', 'running')
 GROUP BY user_id HAVING bool_and(status = 'running' OR rung_at IS NULL)
     AND count(*) FILTER (WHERE status = 'running') < %(at_once)s)
"""
"""The oldest waiting run of each user for whom there is room and nobody has rung: whoever should have is gone."""
