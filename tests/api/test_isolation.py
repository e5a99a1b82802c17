"""Two users, every route and every request type: what is another's is like what does not exist, and stays as it is.

The matrix is generated. Each line below names what a request can name; each name in turn, and all of them at once,
is another's, while the rest is one's own. A route or a request type without a line fails.
"""

import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

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
from tests.api.belongings import MINE, NOWHERE, belongings
from tests.api.conftest import api_of
from tests.house import as_owner
from tests.sse import user_message
from tests.values import settings_of

pytestmark = pytest.mark.anyio

TABLES = [table.name for table in SQLModel.metadata.sorted_tables]
NOT_FOUND = 404
ANN, BEN = "ann-the-other", "ben-who-asks"


@dataclass(frozen=True)
class Ask:
    """One request; `{name}` in it stands for an id of that name."""

    method: str
    address: str
    parts: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """What it names, of `NOWHERE`'s kinds."""
        return sorted(set(re.findall(r"{(\w+)}", f"{self.address} {self.parts}")) & NOWHERE.keys())

    def with_ids(self, ids: dict[str, str]) -> dict[str, Any]:
        """The request as httpx takes it."""
        filled: dict[str, Any] = _filled({"method": self.method, "url": self.address, **self.parts}, ids)
        return filled


def _filled(value: Any, ids: dict[str, str]) -> Any:
    match value:
        case str():
            return value.format_map(ids)
        case dict():
            return {name: _filled(part, ids) for name, part in value.items()}
        case list():
            return [_filled(part, ids) for part in value]
        case _:
            return value


def said(text: str = "hi", **parts: Any) -> dict[str, Any]:
    """A message's input."""
    message: dict[str, Any] = user_message(text)["params"]["input"]
    return {**message, **parts}


SKIPPED = {"status": "skipped", "answers": {}}
PRESSED = {"type": "shop.greet", "payload": {}}
ATTACH = {"type": "run.attach", "payload": {}}
ATTACH_TO = {"type": "run.attach", "payload": {"run_id": "{run}"}}
THREAD = {"thread_id": "{conversation}"}

ROUTES: dict[str, list[Ask]] = {
    "POST /attachments": [Ask("POST", "/attachments", {"files": {"file": ("a.txt", MINE, "text/plain")}})],
    "PUT /attachments/{attachment_id}": [
        Ask("PUT", "/attachments/{awaited}", {"content": MINE}),
        Ask("PUT", "/attachments/{awaited}?{may_put}", {"content": MINE}),
    ],
    "GET /attachments/{attachment_id}": [
        Ask("GET", "/attachments/{attachment}"),
        Ask("GET", "/attachments/{attachment}?{may_get}"),
    ],
    "GET /api/models": [Ask("GET", "/api/models")],
    "GET /runs/{run_id}": [Ask("GET", "/runs/{run}")],
    "GET /runs/{run_id}/events": [Ask("GET", "/runs/{run}/events"), Ask("GET", "/runs/{run}/events?dialect=simple")],
    "POST /runs/{run_id}/cancel": [Ask("POST", "/runs/{run}/cancel")],
    "GET /api/conversations": [
        Ask("GET", "/api/conversations"),
        Ask("GET", "/api/conversations?q=title"),
        Ask("GET", "/api/conversations?after={conversation}"),
    ],
    "GET /api/conversations/{conversation_id}": [Ask("GET", "/api/conversations/{conversation}")],
    "GET /api/conversations/{conversation_id}/messages": [
        Ask("GET", "/api/conversations/{conversation}/messages"),
        Ask("GET", "/api/conversations/{conversation}/messages?after={message}"),
    ],
    "PATCH /api/conversations/{conversation_id}": [
        Ask("PATCH", "/api/conversations/{conversation}", {"json": {"title": "mine"}})
    ],
    "DELETE /api/conversations/{conversation_id}": [Ask("DELETE", "/api/conversations/{conversation}")],
    "GET /api/tasks": [Ask("GET", "/api/tasks")],
    "GET /livez": [Ask("GET", "/livez")],
    "GET /readyz": [Ask("GET", "/readyz")],
    "GET /playground.json": [Ask("GET", "/playground.json")],
    "POST /dev/token": [Ask("POST", "/dev/token", {"json": {"user": BEN}})],
    "GET /": [Ask("GET", "/")],
}

REQUESTS: dict[str, list[dict[str, Any]]] = {
    "threads.create": [{"input": said(attachments=["{attachment}"])}],
    "threads.add_user_message": [
        {**THREAD, "input": said()},
        {**THREAD, "input": said(attachments=["{attachment}"])},
    ],
    "threads.add_client_tool_output": [{**THREAD, "result": 1}],
    "threads.add_structured_input": [{**THREAD, "item_id": "{questions}", "input": SKIPPED}],
    "threads.retry_after_item": [{**THREAD, "item_id": "{message}"}],
    "threads.custom_action": [
        {**THREAD, "action": PRESSED},
        {**THREAD, "item_id": "{widget}", "action": PRESSED},
        {**THREAD, "action": ATTACH},
        {**THREAD, "action": ATTACH_TO},
    ],
    "threads.get_by_id": [THREAD],
    "threads.list": [{}, {"after": "{conversation}"}],
    "items.list": [THREAD, {**THREAD, "after": "{message}"}],
    "items.feedback": [{**THREAD, "item_ids": ["{message}"], "kind": "positive"}],
    "attachments.create": [{"name": "a.txt", "size": 4, "mime_type": "text/plain"}],
    "attachments.delete": [{"attachment_id": "{attachment}"}],
    "threads.update": [{**THREAD, "title": "mine"}],
    "threads.delete": [THREAD],
    "input.transcribe": [{"audio_base64": "AAAA", "mime_type": "audio/wav"}],
    "threads.sync_custom_action": [
        {**THREAD, "action": PRESSED},
        {**THREAD, "item_id": "{widget}", "action": PRESSED},
    ],
}

SIMPLE = Ask("POST", "/chatkit", {"json": {"message": "hi", "thread_id": "{conversation}"}})
READS = ("threads.get_by_id", "threads.list", "items.list")


def chatkit(*kinds: str) -> list[Ask]:
    """The lines of these request types."""
    bodies = [{"type": kind, "params": params} for kind in kinds for params in REQUESTS[kind]]
    return [Ask("POST", "/chatkit", {"json": body}) for body in bodies]


def cells() -> Iterator[tuple[Ask, tuple[str, ...]]]:
    """Each request with each choice of which of its names are another's."""
    for ask in (*itertools.chain.from_iterable(ROUTES.values()), *chatkit(*REQUESTS), SIMPLE):
        names = ask.names
        yield from ((ask, (name,)) for name in names)
        if len(names) != 1:
            yield ask, tuple(names)


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
    return response.status_code, response.content, sorted(response.headers.items())


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
