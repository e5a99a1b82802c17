"""What each user's runs have taken of their models today, counted as each response is journaled.

A table of its own: a deleted conversation takes its runs with it, and must not give its user new tokens. A day is
a day in UTC, by the database's clock.
"""

_TODAY = "(clock_timestamp() AT TIME ZONE 'UTC')::date"

COUNT = f"""
INSERT INTO daily_tokens (user_id, day, tokens)
SELECT %(user_id)s, {_TODAY}, %(tokens)s FROM step
ON CONFLICT (user_id, day) DO UPDATE SET tokens = daily_tokens.tokens + excluded.tokens
"""
"""Counts `tokens` for the user, once for each row of `step`."""

SPENT = f"coalesce((SELECT tokens FROM daily_tokens WHERE user_id = %(user_id)s AND day = {_TODAY}), 0)"
RESETS_IN = f"extract(epoch FROM ({_TODAY} + 1)::timestamp AT TIME ZONE 'UTC' - clock_timestamp())"
"""Seconds until the next day."""
