"""The pool of Postgres connections, whose rows a statement sees, and what it means when Postgres is away.

There are two doors and no other way in: `of(user_id)` sees that user's rows, `across_users` everybody's. Postgres
itself keeps them apart (row-level security, migration 0002), so a statement that forgets its owner still reaches
no other user's row. SQL is written out where it is used; each statement commits by itself, and several that
belong together say so with `transaction()`.

Whose rows are seen is set for one transaction and never for the session, so a pooler in transaction mode may
stand between: a statement and its setting travel as one pipeline, in one round trip, and are one transaction.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

from psycopg import AsyncClientCursor, AsyncConnection, AsyncCursor, OperationalError
from psycopg.rows import DictRow, dict_row
from psycopg.rows import Row as AnyRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

Row = DictRow
Setting = tuple[str, str]

AWAY = (OperationalError, PoolTimeout)
"""What a caller catches where Postgres being away has an answer."""

_EVERYBODY: Setting = ("chatkit.scope", "all")
_SET = "SELECT set_config(%s, %s, true)"


class Connection(AsyncConnection[DictRow]):
    """A connection whose statements say whose rows they see; in a transaction that has been said at its beginning."""

    setting: Setting | None = None


class _Cursor(AsyncCursor[AnyRow]):
    async def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        connection = self.connection
        if not isinstance(connection, Connection) or connection.setting is None:
            return await super().execute(query, params, prepare=prepare, binary=binary)
        async with connection.pipeline():
            await AsyncCursor(connection).execute(_SET, connection.setting)
            await super().execute(query, params, prepare=prepare, binary=binary)
        return self


def psycopg_url(url: str) -> str:
    """The URL without a SQLAlchemy driver name, as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


class Database:
    """Connections to one Postgres: opened by `async with`, lent for one store call at a time.

    `prepare` lets the server keep the plans of repeated statements, which some poolers cannot.
    """

    def __init__(
        self, url: str, *, min_size: int = 2, max_size: int = 10, timeout: float = 5.0, prepare: bool = True
    ) -> None:
        session = {"autocommit": True, "row_factory": dict_row, "cursor_factory": _Cursor, "connect_timeout": 5}
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            psycopg_url(url),
            min_size=min_size,
            max_size=max_size,
            timeout=timeout,
            open=False,
            reconnect_timeout=2.0,
            connection_class=Connection,
            kwargs=session if prepare else {**session, "prepare_threshold": None},
        )
        self.across_users = Scope(self, _EVERYBODY)
        """For statements that are of no one user: claims, renewals, sweeping. Wherever a user is known: `of`."""

    async def __aenter__(self) -> "Database":
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    def of(self, user_id: str) -> "Scope":
        """What this user may see and change."""
        return Scope(self, ("chatkit.user_id", user_id))

    def stats(self) -> dict[str, int]:
        """How the pool stands, and what has come of it so far (`psycopg_pool.AsyncConnectionPool.get_stats`)."""
        return self._pool.get_stats()

    def _lend(self) -> AbstractAsyncContextManager[Connection]:
        """A connection; what it has begun is committed at the end, rolled back on any exception."""
        return self._pool.connection()


class Scope:
    """Somebody's rows, or everybody's."""

    __slots__ = ("_database", "_setting")

    def __init__(self, database: Database, setting: Setting) -> None:
        self._database, self._setting = database, setting

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for single statements, each its own transaction. Raises one of `AWAY`."""
        async with self._database._lend() as connection:
            connection.setting = self._setting
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in one transaction: committed at the end, rolled back on any exception."""
        async with self._database._lend() as connection:
            connection.setting = None
            # Bound by the client, because only the simple protocol takes two statements in one round trip.
            await AsyncClientCursor(connection).execute(f"BEGIN; {_SET}", self._setting)
            yield connection

    @asynccontextmanager
    async def together(self) -> AsyncIterator[Connection]:
        """The same, and its statements do not wait for one another: look at what they gave once all are on their way.

        However many there are, they take one round trip, and the commit another. An error of any of them comes out
        of whichever is looked at first, or of the end. Rows can be looked at, by fetching them; a `rowcount` cannot.
        """
        async with self._database._lend() as connection:
            connection.setting = None
            async with connection.pipeline():
                await connection.execute("BEGIN")
                await connection.execute(_SET, self._setting)
                yield connection
                await connection.execute("COMMIT")

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
