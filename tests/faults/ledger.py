"""The effect ledger: what the test's tools were called for and did, beside the product's own tables.

A call is written when a tool starts, an effect when it has done its work. A label names one effect that the
script wanted once; the key is the idempotency key the tool was given, where it asked for one.
"""

import os
from dataclasses import dataclass

import psycopg

URL = "TEST_LEDGER"
"""The environment variable with the database's address, past any proxy."""

TABLES = """
CREATE TABLE IF NOT EXISTS test_calls (
    id bigserial PRIMARY KEY, tool text, label text, key text, pid int, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS test_effects (
    id bigserial PRIMARY KEY, tool text, label text, key text, pid int, at timestamptz DEFAULT clock_timestamp());
"""

_CALL = "INSERT INTO test_calls (tool, label, key, pid) VALUES (%s, %s, %s, %s)"
_EFFECT = "INSERT INTO test_effects (tool, label, key, pid) VALUES (%s, %s, %s, %s)"
_ONCE = """
INSERT INTO test_effects (tool, label, key, pid) SELECT %s, %s, %s, %s
WHERE NOT EXISTS (SELECT FROM test_effects WHERE key = %s)
"""
_TWICE = "SELECT label, count(*) FROM test_effects WHERE label LIKE %s GROUP BY label HAVING count(*) > 1"


@dataclass(frozen=True)
class Entry:
    """One line of either table."""

    tool: str
    label: str
    key: str | None
    pid: int


async def called(tool: str, label: str, key: str | None = None) -> None:
    """A tool has started."""
    await _write(_CALL, tool, label, key, os.getpid())


async def effect(tool: str, label: str, key: str | None = None) -> None:
    """It has done its work; a key makes a repetition harmless, as with any payment provider."""
    if key is None:
        await _write(_EFFECT, tool, label, key, os.getpid())
    else:
        await _write(_ONCE, tool, label, key, os.getpid(), key)


class Ledger:
    """The test's side."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(TABLES)

    def calls(self, label: str) -> list[Entry]:
        return self._entries("test_calls", label)

    def effects(self, label: str) -> list[Entry]:
        return self._entries("test_effects", label)

    def doubled(self, labels: str = "%") -> list[str]:
        """The labels, among those like this, whose effect is there more than once."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            return [f"{label} ({count} times)" for label, count in connection.execute(_TWICE, [labels])]

    def _entries(self, table: str, label: str) -> list[Entry]:
        query = f"SELECT tool, label, key, pid FROM {table} WHERE label = %s ORDER BY id"
        with psycopg.connect(self._url, autocommit=True) as connection:
            return [Entry(*row) for row in connection.execute(query, [label])]


async def _write(query: str, *parameters: object) -> None:
    async with await psycopg.AsyncConnection.connect(os.environ[URL], autocommit=True) as connection:
        await connection.execute(query, parameters)
