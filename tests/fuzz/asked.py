"""One request as it goes over the wire, and the API that must bear it."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import psycopg
from sqlmodel import SQLModel

from shared.settings import Settings
from tests.api.conftest import Api
from tests.fuzz.ground import laid

ANSWERED = (501, 503, 504)
"""The only statuses from 500 on that a request may be answered with: no worker is there to call."""
INSIDES = re.compile(
    r"Traceback|File \"|psycopg|pydantic|asyncpg|sqlalchemy|\bSELECT\b|\bINSERT\b|[a-z]Error\b|Exception\b",
    re.IGNORECASE,
)
COUNTS = " UNION ALL ".join(f"SELECT count(*) FROM {table}" for table in sorted(SQLModel.metadata.tables))
NO_LONGER_BUSY = "UPDATE runs SET status = 'completed' WHERE status = 'queued'"
"""An answer that nobody gives would be in the next one's way, which waits for it."""
FRESH_EVERY = 200


@dataclass(frozen=True)
class Asked:
    """A `{name}` in it stands for an id of the ground's."""

    method: str
    address: str
    headers: Mapping[str, str]
    body: bytes = b""

    def filled(self, ids: Mapping[str, str]) -> "Asked":
        """The same with the ids in their places."""
        address, body = self.address, self.body
        for name, found in ids.items():
            address = address.replace(f"{{{name}}}", found)
            body = body.replace(b"{%s}" % name.encode(), found.encode())
        return Asked(self.method, address, self.headers, body)


@dataclass
class Bearer:
    """An API without a worker, whose streams end at once; counts what it was asked, and checks what it said."""

    api: Api
    settings: Settings
    rows: psycopg.Connection
    runner: asyncio.Runner
    statuses: Counter[int] = field(default_factory=Counter)
    ids: Mapping[str, str] = field(default_factory=dict)
    counted: list[int] = field(default_factory=list)

    def ask(self, asked: Asked) -> httpx.Response:
        """Send it, and look at everything that must hold of any answer."""
        if self.statuses.total() % FRESH_EVERY == 0:
            self.ids = self.runner.run(laid(self.api.house.database, self.settings))
            self.counted = self.counts()
        self.rows.execute(NO_LONGER_BUSY)
        answer = self.runner.run(self._send(asked.filled(self.ids)))
        self.statuses[answer.status_code] += 1
        before, self.counted = self.counted, self.counts()
        self.check(answer)
        assert answer.is_success or self.counted == before or answer.status_code == 504, "it was refused, and stored"
        return answer

    def check(self, answer: httpx.Response) -> None:
        """No failure of ours, a problem where it is one, and nothing of what is behind it."""
        assert answer.status_code < 500 or answer.status_code in ANSWERED, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            problem = answer.json()
            assert problem["status"] == answer.status_code
            assert problem["type"]
            assert problem["title"]
            assert INSIDES.search(answer.text) is None, answer.text

    def counts(self) -> list[int]:
        """How many rows each table has."""
        return [row[0] for row in self.rows.execute(COUNTS).fetchall()]

    async def _send(self, asked: Asked) -> httpx.Response:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in asked.headers.items()]
        async with self.api.client(None) as client:
            return await client.request(asked.method, asked.address, headers=headers, content=asked.body)
