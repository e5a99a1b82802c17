"""What must not work does not, says so in a problem body, and stores nothing."""

import json
import socket
import subprocess
import sys
import time
from typing import Any

import jwt
import pytest

from tests.house import PATIENCE, ROOT, SECRET, House, Servers, bearer, free_port, house_of, token
from tests.sse import user_message
from tests.talk import ended, submit

JSON = {"content-type": "application/json"}


def stored(house: House, user: str) -> list[str]:
    """The tables that hold something of this user's; messages hang on conversations."""
    tables = ("conversations", "runs", "idempotency_keys", "attachments", "feedback", "tasks")
    return [table for table in tables if house.sql(f"SELECT 1 FROM {table} WHERE user_id = %s LIMIT 1", user)]


def attaching(ids: list[str]) -> dict[str, Any]:
    """A message that carries these."""
    message = {"content": [], "attachments": ids, "inference_options": {}}
    return {"type": "threads.create", "params": {"input": message}}


def creating(size: int) -> dict[str, Any]:
    """The first step of an upload."""
    return {"type": "attachments.create", "params": {"name": "a.txt", "size": size, "mime_type": "text/plain"}}


TOO_MUCH_TEXT = user_message("x" * 150_000)
REFUSED: list[tuple[str, bytes | dict[str, Any], int, str]] = [
    ("not JSON", b"{", 400, "malformed-body"),
    ("no object", b"[1]", 400, "malformed-body"),
    ("NaN", b'{"message": NaN}', 400, "malformed-body"),
    ("invalid UTF-8", b'{"message": "\xff"}', 400, "malformed-body"),
    ("a lone surrogate", b'{"message": "\\ud800"}', 400, "malformed-body"),
    ("a lone surrogate as a key", b'{"message": "hi", "\\udfff": 1}', 400, "malformed-body"),
    ("nothing", b"", 400, "malformed-body"),
    ("a number", b"1", 400, "malformed-body"),
    ("a byte order mark", b'\xef\xbb\xbf{"message": "hi"}', 400, "malformed-body"),
    ("UTF-16", '{"message": "hi"}'.encode("utf-16"), 400, "malformed-body"),
    ("a key given twice", b'{"message": "hi", "message": "ho"}', 400, "malformed-body"),
    ("an infinity", b'{"message": "hi", "metadata": {"n": -Infinity}}', 400, "malformed-body"),
    ("an infinity in digits", b'{"message": "hi", "metadata": {"n": 1e400}}', 400, "malformed-body"),
    ("a number of 400 digits", {"message": "hi", "metadata": {"n": 10**400}}, 400, "malformed-body"),
    ("a number of 5,000 digits", b'{"message": "hi", "metadata": {"n": ' + b"9" * 5_000 + b"}}", 400, "malformed-body"),
    ("nested 10,000 deep", b'{"message":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 400, "malformed-body"),
    ("nested 65 deep", b'{"message":"hi","metadata":' + b"[" * 64 + b"]" * 64 + b"}", 400, "malformed-body"),
    ("metadata 9 deep", b'{"message":"hi","metadata":' + b'{"a":' * 9 + b"1" + b"}" * 10, 422, "invalid"),
    ("metadata of 20 kB", {"message": "hi", "metadata": {"n": "x" * 20_000}}, 422, "invalid"),
    ("metadata that is no object", {"message": "hi", "metadata": [1]}, 422, "invalid"),
    ("ChatKit metadata that is no object", {**user_message("hi"), "metadata": "x"}, 422, "invalid"),
    ("300,000 values", b'{"message":"hi","a":[' + b"0," * 300_000 + b"0]}", 413, "too-large"),
    ("a type that is a list", {"type": ["threads.create"]}, 400, "unknown-type"),
    ("a type that is null", {"type": None, "message": "hi"}, 400, "unknown-type"),
    ("1,000 attachments", attaching(["atc_x"] * 1_000), 422, "invalid"),
    ("an attachment with a 10 kB id", attaching(["x" * 10_240]), 404, "not-found"),
    ("an attachment of a negative size", creating(-1), 422, "invalid"),
    ("an attachment of no size", creating(0), 422, "invalid"),
    ("an attachment of 10^18 bytes", creating(10**18), 413, "too-large"),
    ("a limit of 401 digits", {"type": "threads.list", "params": {"limit": 10**400}}, 400, "malformed-body"),
    ("a limit that is text", {"type": "threads.list", "params": {"limit": "many"}}, 422, "invalid"),
    ("a page after a 10 kB id", {"type": "threads.list", "params": {"after": "x" * 10_240}}, 404, "not-found"),
    ("neither type nor message", {}, 400, "unknown-type"),
    ("an unknown type", {"type": "threads.explode", "params": {}}, 400, "unknown-type"),
    ("a type that is no string", {"type": 7}, 400, "unknown-type"),
    ("parameters missing", {"type": "threads.create", "params": {}}, 422, "invalid"),
    ("an empty message", {"message": "  "}, 422, "invalid"),
    ("an empty ChatKit message", user_message("   "), 422, "invalid"),
    ("a message that is no text", {"message": {"a": 1}}, 422, "invalid"),
    ("NUL in a message", {"message": "a\x00b"}, 422, "invalid"),
    ("NUL in a ChatKit message", user_message("a\x00b"), 422, "invalid"),
    ("too much text", TOO_MUCH_TEXT, 413, "too-large"),
    ("2 MB", user_message("x" * 2_000_000), 413, "too-large"),
    ("10 MB of text", user_message("x" * 10_000_000), 413, "too-large"),
    ("60 MB", b"[" + b"0," * 30_000_000 + b"0]", 413, "too-large"),
    ("an unknown conversation", user_message("hi", "thr_unknown"), 404, "not-found"),
    ("an unknown conversation, simply", {"message": "hi", "thread_id": "thr_unknown"}, 404, "not-found"),
]


@pytest.mark.parametrize(
    ("body", "status", "problem"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_bad_body_is_refused_and_nothing_is_stored(
    house: House, body: bytes | dict[str, Any], status: int, problem: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with house.client("careless") as client:
        refused = client.post("/chatkit", content=content, headers=JSON)
    assert refused.status_code == status, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == problem
    assert stored(house, "careless") == []


def test_a_body_of_unknown_length_is_cut_off(house: House) -> None:
    with house.client("endless") as client:
        refused = client.post("/chatkit", content=(b"x" * 100_000 for _ in range(100)), headers=JSON)
    assert refused.status_code == 413
    assert stored(house, "endless") == []


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "a/b;c", "\xe9"]
)
def test_a_body_is_judged_by_its_bytes_and_not_by_what_it_is_called(house: House, content_type: str) -> None:
    headers = {"content-type": content_type.encode("latin-1")}
    with house.client("any name") as client:
        listed = client.post("/chatkit", content=b'{"type": "threads.list", "params": {}}', headers=headers)
        refused = client.post("/chatkit", content=b"type=threads.list", headers=headers)
    assert listed.json()["data"] == []
    assert (refused.status_code, refused.json()["type"]) == (400, "malformed-body")


@pytest.mark.parametrize(("limit", "size"), [(-1, 1), (0, 1), (10**9, 3), (2, 2)])
def test_a_page_is_as_large_as_it_may_be_whatever_is_asked(house: House, limit: int, size: int) -> None:
    user = f"pages of {limit}"
    with house.client(user) as client:
        for n in range(3):
            submit(client, f"hello {n}")
        listed = client.post("/chatkit", json={"type": "threads.list", "params": {"limit": limit}})
        assert len(listed.json()["data"]) == size
        assert len(client.get(f"/api/conversations?limit={limit}").json()["data"]) == size


@pytest.mark.parametrize("limit", ["x", "1.5", "1e9", "9" * 5_000, ""])
def test_a_limit_that_is_no_number_is_refused(house: House, limit: str) -> None:
    with house.client("counting") as client:
        refused = client.get(f"/api/conversations?limit={limit}")
    assert (refused.status_code, refused.json()["type"]) == (422, "invalid")


TITLES: dict[str, tuple[bytes, int]] = {
    "60 MB": (b'{"title": "' + b"x" * 60_000_000 + b'"}', 413),
    "empty": (b"", 400),
    "a lone surrogate": (b'{"title": "\\ud800"}', 400),
    "NUL": (b'{"title": "\\u0000"}', 422),
    "a title of 501 characters": (json.dumps({"title": "x" * 501}).encode(), 422),
    "no title": (b"{}", 422),
}


@pytest.mark.parametrize(("body", "status"), TITLES.values(), ids=TITLES.keys())
def test_a_bad_title_is_refused_and_the_old_one_stays(house: House, body: bytes, status: int) -> None:
    with house.client("renaming") as client:
        run_id, thread_id = submit(client, "hello")
        # The answer gives a conversation its first title.
        ended(client, run_id)
        assert client.patch(f"/api/conversations/{thread_id}", json={"title": "Kept"}).status_code == 200
        refused = client.patch(f"/api/conversations/{thread_id}", content=body, headers=JSON)
        assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
        assert client.get(f"/api/conversations/{thread_id}").json()["title"] == "Kept"


def test_a_form_whose_file_never_comes_is_cut_off(house: House) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="note"\r\n\r\n' + b"x" * 1_000_000
    headers = {"content-type": "multipart/form-data; boundary=b"}
    with house.client("talkative") as client:
        refused = client.post("/attachments", content=part, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (413, "too-large")
    assert stored(house, "talkative") == []


@pytest.mark.parametrize("path", ["/chatkit", "/attachments"])
def test_a_body_that_dribbles_is_given_up_in_time(servers: Servers, path: str) -> None:
    with house_of(servers, workers=0, BODY_TIMEOUT="0.5") as impatient:
        head = {**bearer("slow"), "Content-Type": "multipart/form-data; boundary=b", "Content-Length": "1000"}
        with socket.create_connection(("127.0.0.1", int(impatient.url.rpartition(":")[2])), timeout=PATIENCE) as line:
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: api\r\n{lines}\r\n--".encode())
            answer = b"".join(iter(lambda: line.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"type":"too-slow"' in answer
        assert stored(impatient, "slow") == []


BAD_TOKENS = {
    "none": None,
    "nonsense": "nonsense",
    "another secret": jwt.encode({"sub": "ann", "exp": time.time() + 60}, "x" * 40, algorithm="HS256"),
    "expired": token(exp=int(time.time()) - 60),
    "without expiry": jwt.encode({"sub": "ann"}, SECRET, algorithm="HS256"),
    "good for years": token(exp=int(time.time()) + 10**9),
    "expiry in the year thirty billion": token(exp=10**21),
    "algorithm none": jwt.encode({"sub": "ann", "exp": time.time() + 60}, "", algorithm="none"),
    "no subject": token(sub=None),
    "an empty subject": token(""),
    "a blank subject": token("  "),
    "a NUL in the subject": token("a\x00b"),
    "a list as subject": token(sub=["ann"]),
    "100 kB": token(padding="x" * 100_000)[:100_000],
}


@pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
@pytest.mark.parametrize("path", ["/chatkit", "/api/conversations", "/runs/run_x", "/runs/run_x/cancel"])
def test_a_bad_token_gets_one_and_the_same_401(house: House, bad: str | None, path: str) -> None:
    headers = {"Authorization": f"Bearer {bad}"} if bad is not None else {}
    with house.client() as client:
        client.headers.pop("Authorization")
        method = "POST" if path.endswith(("chatkit", "cancel")) else "GET"
        refused = client.request(method, path, headers=headers, json=user_message("hi") if method == "POST" else None)
    assert refused.status_code == 401
    assert refused.json() == {"type": "unauthorized", "title": "A valid bearer token is needed.", "status": 401}


def test_the_user_may_be_named_by_id_where_there_is_no_sub(house: House) -> None:
    claims = {"id": "named by id", "exp": int(time.time()) + 60}
    named = jwt.encode(claims, SECRET, algorithm="HS256")
    with house.client("named by id") as client:
        thread_id = submit(client, "hello")[1]
        found = client.get(f"/api/conversations/{thread_id}", headers={"Authorization": f"Bearer {named}"})
    assert found.status_code == 200


def test_what_is_anothers_looks_like_what_does_not_exist(house: House) -> None:
    with house.client("owner") as owner:
        run_id, thread_id = submit(owner, "mine")
    requests = [
        ("GET", "/runs/{run}", None),
        ("GET", "/runs/{run}/events", None),
        ("POST", "/runs/{run}/cancel", None),
        ("GET", "/api/conversations/{thread}", None),
        ("GET", "/api/conversations/{thread}/messages", None),
        ("GET", "/api/conversations?after={thread}", None),
        ("PATCH", "/api/conversations/{thread}", {"title": "stolen"}),
        ("DELETE", "/api/conversations/{thread}", None),
    ]
    with house.client("stranger") as stranger:
        for method, path, body in requests:
            foreign = stranger.request(method, path.format(run=run_id, thread=thread_id), json=body)
            unknown = stranger.request(method, path.format(run="run_unknown", thread="thr_unknown"), json=body)
            assert foreign.status_code == unknown.status_code == 404, path
            assert foreign.content == unknown.content, path
    with house.client("owner") as owner:
        assert owner.get(f"/api/conversations/{thread_id}").status_code == 200


@pytest.mark.parametrize("cursor", ["x", "1", "1.", "1.x", "-1.2", "0.1", "1.1.1", "9" * 30 + ".1", "1.\x00"])
def test_a_cursor_that_is_none_is_refused(house: House, cursor: str) -> None:
    with house.client("reader") as client:
        run_id = submit(client, "hello")[0]
        refused = client.get(f"/runs/{run_id}/events", params={"after": cursor})
    assert refused.status_code == 400
    assert refused.json()["type"] == "bad-cursor"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "Postgres cannot be reached"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "Redis cannot be reached"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
    ],
)
@pytest.mark.parametrize("program", ["api", "worker"])
def test_a_server_that_is_not_there_is_said_in_a_sentence(
    house: House, program: str, missing: dict[str, str], sentence: str
) -> None:
    env = {**house.apis[0].env, "PORT": str(free_port()), **missing}
    ended = subprocess.run(
        [sys.executable, "-m", program], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert sentence in said
    assert "Traceback" not in said


def test_a_port_in_use_is_said_in_a_sentence(house: House) -> None:
    env = house.apis[0].env
    ended = subprocess.run(
        [sys.executable, "-m", "api"], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "cannot be had" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("auth", "sentence"),
    [
        ({"BETTER_AUTH_SECRET": ""}, "set BETTER_AUTH_SECRET or AUTH_JWKS_URL"),
        ({"BETTER_AUTH_SECRET": "too short"}, "BETTER_AUTH_SECRET is too short"),
        ({"AUTH_JWKS_URL": "http://issuer.example/jwks"}, "AUTH_JWKS_URL: "),
        ({"AUTH_ISSUER": "https://a.example|b"}, "AUTH_ISSUER: "),
    ],
)
def test_keys_that_could_let_in_nobody_or_anybody_are_said_in_a_sentence(
    house: House, auth: dict[str, str], sentence: str
) -> None:
    env = {**house.apis[0].env, "PORT": str(free_port()), **auth}
    ended = subprocess.run(
        [sys.executable, "-m", "api"], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert sentence in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
