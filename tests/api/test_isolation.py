"""Two users, every route and every request type: what is another's is like what does not exist, and stays as it is.

The matrix is generated. Each line of `matrix` says what a request can name; each name in turn, and all of them at
once, is another's, while the rest is one's own. A route or a request type without a line fails.
"""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import httpx
import psycopg
import pytest
from chatkit.types import NonStreamingReq, StreamingReq
from fastapi.routing import iter_route_contexts
from sqlmodel import SQLModel

from api.app import create_app
from shared.database import Database
from shared.event_log import EventLog
from shared.settings import Settings
from tests.api.belongings import NOWHERE, belongings
from tests.api.conftest import api_of
from tests.api.matrix import ANN, BEN, READS, REQUESTS, ROUTES, Ask, cells, chatkit
from tests.house import as_owner
from tests.values import settings_of

pytestmark = pytest.mark.anyio

TABLES = [table.name for table in SQLModel.metadata.sorted_tables]
NOT_FOUND = 404


def test_every_route_and_every_request_type_has_a_line() -> None:
    app = create_app(settings_of(dev_token=True))
    routes = {f"{method} {route.path}" for route in iter_route_contexts(app.routes) for method in route.methods or ()}
    types = {one.model_fields["type"].default for one in (*get_args(StreamingReq), *get_args(NonStreamingReq))}
    assert routes == ROUTES.keys() - {"GET /"} | {"POST /chatkit"}
    assert types == REQUESTS.keys()
    assert len(types) == 16
    for route, lines in ROUTES.items():
        pattern = re.sub(r"{\w+}", "[^/]+", route)
        assert all(re.fullmatch(pattern, f"{ask.method} {ask.address.partition('?')[0]}") for ask in lines), route


@dataclass
class Ground:
    """What both users have, and the whole of it as it stands."""

    client: httpx.AsyncClient
    owner: psycopg.Connection
    files: Path
    ann: dict[str, str]
    ben: dict[str, str]

    def stands(self, marker: str = "") -> list[str]:
        """Every row and every file; those that carry the marker."""
        queries = (f"SELECT '{table}' || to_jsonb(t)::text FROM {table} t ORDER BY 1" for table in TABLES)
        rows = [row for query in queries for (row,) in self.owner.execute(query)]
        files = [f"{path}: {path.read_bytes()!r}" for path in sorted(self.files.rglob("*")) if path.is_file()]
        return [one for one in (*rows, *files) if marker in one]

    async def complaints(self, ask: Ask, foreign: tuple[str, ...]) -> list[str]:
        """What is wrong with this cell of the matrix."""
        name = f"{ask.method} {ask.address} {ask.parts} with another's {', '.join(foreign) or 'nothing'}"
        marker = "" if foreign else ANN
        before = self.stands(marker)
        found = await self.client.request(**ask.with_ids({**self.ben, **{one: self.ann[one] for one in foreign}}))
        missed = await self.client.request(**ask.with_ids({**self.ben, **{one: NOWHERE[one] for one in foreign}}))
        wrong = {
            "is answered otherwise than for what does not exist": foreign and told(found) != told(missed),
            "is answered by another status": foreign and found.status_code != NOT_FOUND,
            "tells of another": ANN in f"{found.headers} {found.text}",
            "changes something": self.stands(marker) != before,
        }
        return [f"{name} {what}: {found.status_code} {found.text[:200]}" for what, is_so in wrong.items() if is_so]


def told(response: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    # Each request has an id of its own, which tells nothing of what was asked for.
    headers = sorted((name, value) for name, value in response.headers.items() if name != "x-request-id")
    return response.status_code, response.content, headers


@pytest.fixture(params=[None, "tests.contract.servers.desk:DeskServer"], ids=["our server", "a team's"])
def server(request: pytest.FixtureRequest) -> str | None:
    """Whose server answers: some requests become calls of a team's own."""
    return request.param


@pytest.fixture(params=["both walls", "the statements alone"])
def walls(request: pytest.FixtureRequest, database_url: str) -> str:
    """The database's URL; of a role that no policy holds, for the first wall is to stand without the second."""
    return database_url if request.param == "both walls" else as_owner(database_url)


@pytest.fixture
async def ground(
    walls: str,
    server: str | None,
    owner: psycopg.Connection,
    database: Database,
    event_log: EventLog,
    api_settings: Callable[..., Settings],
    tmp_path: Path,
) -> AsyncIterator[Ground]:
    """Ann has one of everything, and so has Ben, who is about to ask."""
    settings = api_settings(database_url=walls, chatkit_server=server, dev_token=True, call_timeout=0.2)
    async with api_of(settings) as api, api.client(BEN) as client:
        ann = await belongings(database, event_log, tmp_path, ANN, answering=True)
        ben = await belongings(database, event_log, tmp_path, BEN, answering=False)
        urls = api.house.attachments.rules.urls
        ben["may_get"] = urls.make("GET", ben["attachment"]).partition("?")[2]
        ben["may_put"] = urls.make("PUT", ben["awaited"]).partition("?")[2]
        yield Ground(client, owner, tmp_path, ann, ben)


async def test_nothing_of_anothers_is_found_told_or_changed(ground: Ground) -> None:
    assert {one.partition("{")[0] for one in ground.stands(ANN)} >= {*TABLES}
    matrix = list(cells())
    complaints = [one for cell in matrix for one in await ground.complaints(*cell)]
    print(f"{len(matrix)} cells")
    assert complaints == [], "\n".join(complaints)


async def test_the_same_requests_find_what_is_ones_own(ground: Ground) -> None:
    """Else the matrix could be refused for another reason than whose it is."""
    gets = [ask for lines in ROUTES.values() for ask in lines if ask.method == "GET" and ask.names]
    for ask in (*gets, *chatkit(*READS)):
        found = await ground.client.request(**ask.with_ids(ground.ben))
        assert found.status_code == 200, ask
    uploaded = await ground.client.request(**ROUTES["PUT /attachments/{attachment_id}"][1].with_ids(ground.ben))
    assert uploaded.status_code == 200, uploaded.text
