"""Unique words go in everywhere a user, a provider or an operator can put some; where they must not be, they are not.

What a user and a model say is in Postgres and, for a while, in the run's own log. It is in no line, no span and no
error column, and under no other key of Redis. Secrets are nowhere at all.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import redis

from tests.collector import Collector
from tests.house import SECRET, House, eventually, token
from tests.model_endpoint import PROVIDER_SECRET, Call, Endpoint, Failure, Text
from tests.sse import user_message
from tests.system.conftest import API_KEY, COLLECTOR_KEY, METRICS_TOKEN
from tests.system.servers.watched import RAISED, RESULT
from tests.talk import ended, say

USER = "canary-of-a-user"
TOKEN = token(USER)
MESSAGE = "canary-of-a-message"
SPOKEN = "canary-of-an-answer"
ARGUMENT = "canary-of-an-argument"
NAME = "canary-of-a-file"
BODY = "canary-of-a-body"
QUERY = "canary-of-a-query"
PATH = "canary-of-a-path"
KEY = "canary-of-a-key"

SAID = (MESSAGE, SPOKEN, ARGUMENT, RESULT, RAISED, NAME, BODY, QUERY, PATH, KEY, PROVIDER_SECRET)
WORDS = (*SAID, USER)
SECRETS = (SECRET, TOKEN, TOKEN.rpartition(".")[2], API_KEY, METRICS_TOKEN, COLLECTOR_KEY)


class Heard:
    """Every command that Redis carries out, in a thread, until it is closed."""

    def __init__(self, url: str) -> None:
        self.commands: list[str] = []
        self._client = redis.Redis.from_url(url)
        self._monitor = self._client.monitor()
        self._monitor.__enter__()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(redis.ConnectionError):
            for command in self._monitor.listen():
                self.commands.append(command["command"])

    def close(self) -> None:
        """Once what was said until now has been heard."""
        self._client.echo("the end of the canary")
        eventually(lambda: "the end of the canary" in self.commands[-1])


@pytest.fixture(scope="module")
def heard(watched_house: House) -> Heard:
    return Heard(watched_house.redis_url)


@pytest.fixture(scope="module")
def sung(watched_house: House, model: Endpoint, heard: Heard, collector: Collector) -> House:
    """The house, once everything has happened in it that could tell of what it was told."""
    model.reset()
    with httpx.Client(base_url=watched_house.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as client:
        _answers(client, model)
        _failures(client, model)
        _refusals(client)
        runs = [str(run_id) for (run_id,) in watched_house.sql("SELECT id FROM runs WHERE user_id = %s", USER)]
        assert {ended(client, run_id)["status"] for run_id in runs} == {"completed", "failed"}
    heard.close()
    told = set(runs)
    eventually(lambda: told <= {span.attributes.get("run.id") for span in collector.spans if span.name == "attempt"})
    return watched_house


def _answers(client: httpx.Client, model: Endpoint) -> None:
    """A message with a file, a tool's argument and result, and what the model makes of them."""
    uploaded = client.post("/attachments", files={"file": (f"{NAME}.txt", NAME.encode(), "text/plain")})
    assert uploaded.status_code == 200, uploaded.text
    model.replies(Call("look_up", {"subject": ARGUMENT}), Text(SPOKEN))
    said = user_message(MESSAGE)
    said["params"]["input"]["attachments"] = [uploaded.json()["id"]]
    answer = client.post("/chatkit", json=said, headers={"Idempotency-Key": KEY})
    assert SPOKEN in answer.text
    for tool in ("stumble", "leave_behind"):
        model.replies(Call(tool, {"subject": ARGUMENT}), Text(SPOKEN))
        assert SPOKEN in str(say(client, MESSAGE))


def _failures(client: httpx.Client, model: Endpoint) -> None:
    """A provider that quotes what it was asked, and a tool whose exception does."""
    model.answers_to(MESSAGE, Failure(500))
    assert say(client, MESSAGE)[-1].comment == "end failed"
    model.reset()
    model.replies(Call("fall", {"subject": ARGUMENT}))
    assert say(client, MESSAGE)[-1].comment == "end failed"


def _refusals(client: httpx.Client) -> None:
    """What is wrong with a request is said, and not logged."""
    bodies: tuple[Any, ...] = ({"type": BODY}, {"type": "threads.create", "params": BODY}, {"message": {BODY: BODY}})
    for body in bodies:
        assert client.post("/chatkit", json=body).status_code in (400, 422)
    assert client.post("/chatkit", content=b"{" + BODY.encode()).status_code == 400
    assert client.get("/api/conversations", params={"q": QUERY, "after": QUERY}).status_code in (200, 404)
    assert client.get(f"/{PATH}").status_code == 404
    assert client.get(f"/attachments/{PATH}", params={"signature": QUERY}).status_code in (401, 403, 404)
    assert client.get("/api/tasks", headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401


def found(words: tuple[str, ...], text: str) -> set[str]:
    return {word for word in words if word in text}


def rows(house: House, columns: str = "") -> Iterator[str]:
    """Each row of every table as text; or only of the columns whose names hold this."""
    tables = house.sql(
        "SELECT table_name, string_agg(quote_ident(column_name)::text, ', ') FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name LIKE %s GROUP BY table_name",
        f"%{columns}%",
    )
    for table, names in tables:
        for (row,) in house.sql(f"SELECT row({names})::text FROM {table}"):
            yield str(row)


def test_the_canaries_were_heard_where_they_belong(sung: House, model: Endpoint) -> None:
    stored = "".join(rows(sung))
    assert found(WORDS, stored) >= {MESSAGE, SPOKEN, ARGUMENT, RESULT, NAME, USER}


def test_no_line_of_any_process_holds_a_word_or_a_secret(sung: House) -> None:
    for process in (*sung.apis, *sung.workers):
        lines = process.text.splitlines()
        assert len(lines) > 10
        assert not [line for line in lines if found(WORDS + SECRETS, line)]
        assert all(json.loads(line)["event"] for line in lines)


def test_what_nobody_waited_for_is_logged_without_its_words(sung: House) -> None:
    [worker] = sung.workers
    eventually(lambda: "Task exception was never retrieved" in worker.text)
    line = next(json.loads(line) for line in worker.text.splitlines() if "never retrieved" in line)
    assert (line["logger"], line["error"]) == ("asyncio", "ValueError")
    assert RAISED not in worker.text


def test_no_span_holds_a_word_or_a_secret(sung: House, collector: Collector) -> None:
    assert len(collector.spans) > 50
    exported = b"".join(collector.bodies).decode(errors="replace")
    assert found(WORDS + SECRETS, exported) == set()


def test_no_metric_holds_a_word_or_a_secret(sung: House) -> None:
    shown = httpx.get(f"{sung.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert shown.status_code == 200
    assert found(WORDS + SECRETS, shown.text) == set()


def test_no_error_column_holds_a_word(sung: House) -> None:
    errors = [row for row in rows(sung, "error") if row not in ("()", "(,)")]
    assert len(errors) >= 2
    assert found(WORDS + SECRETS, "".join(errors)) == set()


def test_postgres_holds_no_secret(sung: House) -> None:
    assert found(SECRETS, "".join(rows(sung))) == set()


def test_redis_was_never_told_a_secret_nor_of_a_word_outside_of_a_runs_own_log(sung: House, heard: Heard) -> None:
    assert len(heard.commands) > 100
    assert not [command for command in heard.commands if found(SECRETS, command)]
    told = [command for command in heard.commands if found(SAID, command)]
    assert told
    assert not [command for command in told if "run:{run_" not in command]


def test_what_redis_keeps_of_a_run_goes_by_itself(sung: House) -> None:
    client: redis.Redis = redis.Redis.from_url(sung.redis_url)
    logs = list(client.scan_iter("run:*"))
    assert len(logs) > 5
    assert all(0 < client.pttl(key) <= 3_600_000 for key in logs)
    others = {key for key in client.scan_iter() if not key.startswith(b"run:")}
    assert not [key for key in others if found(SAID + SECRETS, _dumped(client, key))]
    # Rates are counted by user.
    assert all(0 < client.pttl(key) <= 60_000 for key in others if found((USER,), _dumped(client, key)))


def _dumped(client: redis.Redis, key: bytes) -> str:
    kept: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        b"stream": client.xrange,
        b"set": client.smembers,
        b"list": lambda name: client.lrange(name, 0, -1),
    }
    kind = client.type(key)
    return "" if kind == b"none" else str(kept[kind](key)) + str(key)
