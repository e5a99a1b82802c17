"""The pool of Postgres connections, and what it means when Postgres is away.

SQL is written out where it is used; the pool's connections commit each statement by themselves, and
several statements that belong together say so with `transaction()`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Connection = AsyncConnection[DictRow]
Row = DictRow

AWAY = (OperationalError, PoolTimeout)
"""What a caller catches where Postgres being away has an answer."""


def psycopg_url(url: str) -> str:
    """The URL without a SQLAlchemy driver name, as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


class Database:
    """Connections to one Postgres: opened by `async with`, lent for one store call at a time."""

    def __init__(self, url: str, *, min_size: int = 2, max_size: int = 10, timeout: float = 5.0) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            psycopg_url(url),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            reconnect_timeout=2.0,
            connection_class=AsyncConnection,
            kwargs={"autocommit": True, "row_factory": dict_row, "connect_timeout": 5},
        )

    async def __aenter__(self) -> "Database":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for single statements, each its own transaction. Raises one of `AWAY`."""
        async with self._pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in one transaction: committed at the end, rolled back on any exception."""
        async with self._pool.connection() as connection, connection.transaction():
            yield connection

    async def one(self, sql: str, parameters: dict[str, Any]) -> Row | None:
        """The first row of one statement."""
        async with self.connection() as connection:
            return await (await connection.execute(sql, parameters)).fetchone()

    async def all(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        """All rows of one statement."""
        async with self.connection() as connection:
            return await (await connection.execute(sql, parameters)).fetchall()

    async def run(self, sql: str, parameters: dict[str, Any]) -> int:
        """Carry out one statement; the number of rows it changed."""
        async with self.connection() as connection:
            return (await connection.execute(sql, parameters)).rowcount
