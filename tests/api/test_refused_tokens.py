"""Every token that must not work: one and the same 401, from an API that could not have asked its database."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.settings import Settings
from tests.api.conftest import Api, api_of
from tests.house import SECRET, free_port
from tests.issuer import Issuer, Key, forged, part, running_issuer
from tests.values import settings_of

pytestmark = pytest.mark.anyio

ISSUER, AUDIENCE = "https://issuer.example", "chat"
HS256 = {"alg": "HS256", "typ": "JWT"}
ROTATED = Key("rotated")
RSA = Key("rsa", "RS256")
DOORS = [
    ("GET", "/api/conversations"),
    ("POST", "/chatkit"),
    ("GET", "/runs/run_1/events"),
    ("GET", "/attachments/atc_1"),
    ("PUT", "/attachments/atc_1"),
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.keys = [RSA, Key("edwards")]
        yield running


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"sub": "ann", "iat": now, "exp": now + 3600, "iss": ISSUER, "aud": AUDIENCE, **other}


def by_secret(header: dict[str, Any] | None = None, secret: bytes = SECRET.encode(), **other: Any) -> str:
    return forged({**HS256, **(header or {})}, claims(**other), secret)


def without(name: str) -> str:
    left = {key: value for key, value in claims().items() if key != name}
    return forged(HS256, left, SECRET.encode())


def unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}."


def tampered(token: str) -> str:
    header, _, signature = token.split(".")
    return f"{header}.{part(claims(sub='bob'))}.{signature}"


def refused(issuer: Issuer) -> dict[str, str | bytes]:
    """By what is wrong with it."""
    edwards = issuer.keys[1]
    elsewhere = issuer.url.replace("/jwks", "/evil")
    pem = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good, published = by_secret(), edwards.token(**claims())
    now = int(time.time())
    return {
        **{f"alg {name!r}": unsigned(name) for name in ("none", "None", "NONE", "nOnE", "")},
        "alg none, signed": by_secret({"alg": "none"}),
        "no alg": f"{part({'typ': 'JWT'})}.{part(claims())}.{part(b'')}",
        "alg that is a list": by_secret({"alg": ["HS256"]}),
        "alg in small letters": by_secret({"alg": "hs256"}),
        "HS512": by_secret({"alg": "HS512"}),
        "HS256 by the public key's PEM": by_secret(secret=pem),
        "HS256 by the public key's PEM, with its kid": by_secret({"kid": "rsa"}, secret=pem),
        "HS256 by the published set": by_secret({"kid": "rsa"}, secret=issuer.published),
        "HS256 by the published key": by_secret({"kid": "rsa"}, secret=part(RSA.jwk).encode()),
        "HS256 by an empty secret": by_secret(secret=b""),
        "RS256, signed by the secret": by_secret({"alg": "RS256", "kid": "rsa"}),
        "another secret": by_secret(secret=b"another secret, which is as long as the real one"),
        "a key that is not published": Key("edwards").token(**claims()),
        "a key that was never known": ROTATED.token(**claims()),
        "the kid of another key": edwards.token(**claims(), header={"kid": "rsa"}),
        "the algorithm of another key": forged({"alg": "EdDSA", "kid": "rsa"}, claims(), SECRET.encode()),
        "a kid like a path": edwards.token(**claims(), header={"kid": "../../dev/null"}),
        "a kid like SQL": edwards.token(**claims(), header={"kid": "' OR 1=1 --"}),
        "a kid that is no text": forged({"alg": "EdDSA", "kid": 7}, claims(), SECRET.encode()),
        "jku": ROTATED.token(**claims(), header={"jku": elsewhere}),
        "x5u": ROTATED.token(**claims(), header={"x5u": elsewhere}),
        "jwk": ROTATED.token(**claims(), header={"jwk": ROTATED.jwk}),
        "jwk of a secret": by_secret({"jwk": {"kty": "oct", "k": "c2VjcmV0"}}, secret=b"secret"),
        "x5c": ROTATED.token(**claims(), header={"x5c": ["MII="]}),
        "expired": by_secret(exp=now - 60),
        "not yet valid": by_secret(nbf=now + 60),
        "issued in the future": by_secret(iat=now + 60),
        "no expiry": without("exp"),
        "an expiry years away": by_secret(exp=now + 10**9),
        "an expiry in text": by_secret(exp=str(now + 60)),
        "an expiry that is no number": by_secret(exp=float("nan")),
        "an endless expiry": by_secret(exp=float("inf")),
        "an expiry of 1e30": by_secret(exp=1e30),
        "an expiry of 5,000 digits": forged(HS256, b'{"sub":"ann","exp":' + b"9" * 5000 + b"}", SECRET.encode()),
        "an expiry that is a list": by_secret(exp=[now + 60]),
        "no subject": without("sub"),
        **{f"the subject {sub!r:.20}": by_secret(sub=sub) for sub in ("", "  ", ["ann"], 7, "a\0b", "a\nb", "x" * 256)},
        "a lone surrogate in the subject": by_secret(sub="a\ud800b"),
        "a subject of 100 kB": by_secret(sub="x" * 100_000),
        "8 kB and more": by_secret(padding="x" * 6200),
        "an unknown crit": by_secret({"crit": ["exp"]}),
        "a crit of our own making": by_secret({"crit": ["x"], "x": 1}),
        "an empty crit": by_secret({"crit": []}),
        "b64 false": by_secret({"b64": False}),
        "b64 false and critical": by_secret({"b64": False, "crit": ["b64"]}),
        "b64 true and critical": by_secret({"b64": True, "crit": ["b64"]}),
        "tampered": tampered(good),
        "tampered, by a published key": tampered(published),
        "a signature that is cut off": good[:-4],
        "no signature": good.rpartition(".")[0] + ".",
        "four parts": f"{good}.{part(b'more')}",
        "five parts": f"{good}.{part(b'more')}.{part(b'more')}",
        "two parts": good.rpartition(".")[0],
        "one part": "token",
        "empty": "",
        "blank": "   ",
        "dots": "..",
        "not base64": "!!!.???.***",
        "not JSON": f"{part(b'{')}.{part(b'{')}.{part(b'x')}",
        "a header that is a list": forged([], claims(), SECRET.encode()),  # type: ignore[arg-type]
        "claims that are a list": forged(HS256, [claims()], SECRET.encode()),
        "deeply nested": forged(HS256, b'{"exp":' + b"[" * 2000 + b"]" * 2000 + b"}", SECRET.encode()),
        "not ASCII": f"{good}é".encode(),
        "not UTF-8": good.encode() + b"\xff",
        "another issuer": by_secret(iss="https://evil.example"),
        "another issuer, by a published key": edwards.token(**claims(iss="https://evil.example")),
        "no issuer": without("iss"),
        "an issuer that is a list": by_secret(iss=[ISSUER]),
        "another audience": by_secret(aud="shop"),
        "no audience": without("aud"),
    }


@pytest.fixture(params=["secret and keys", "keys alone", "secret alone"])
async def cut_off(request: pytest.FixtureRequest, issuer: Issuer, redis_url: str) -> AsyncIterator[Api]:
    """An API whose database is at a port where nobody listens."""
    settings: Settings = settings_of(
        database_url=f"postgresql://127.0.0.1:{free_port()}/nowhere",
        redis_url=redis_url,
        better_auth_secret=None if request.param == "keys alone" else SECRET,
        auth_jwks_url=None if request.param == "secret alone" else issuer.url,
        auth_issuer=(ISSUER, "https://other.example"),
        auth_audience=(AUDIENCE,),
    )
    async with api_of(settings) as api:
        # What now asks the database fails at once, where it would else wait for a connection.
        await api.house.database.__aexit__()
        yield api


async def ask(client: httpx.AsyncClient, method: str, path: str, token: str | bytes) -> httpx.Response:
    bearer = b"Bearer " + (token.encode() if isinstance(token, str) else token)
    body = {"content": b'{"message": "hi"}'} if method == "POST" else {}
    return await client.request(method, path, headers=[(b"authorization", bearer)], **body)


async def test_every_one_gets_the_same_401_and_the_database_is_not_asked(cut_off: Api, issuer: Issuer) -> None:
    answers: dict[str, set[tuple[object, ...]]] = {}
    async with cut_off.client(None) as client:
        for name, token in refused(issuer).items():
            for method, path in DOORS:
                answer = await ask(client, method, path, token)
                said = (answer.status_code, answer.content, answer.headers["www-authenticate"])
                answers.setdefault(name, set()).add(said)
    body = b'{"type":"unauthorized","title":"A valid bearer token is needed.","status":401}'
    assert {name: said for name, said in answers.items() if said != {(401, body, "Bearer")}} == {}
    assert issuer.paths <= {"/jwks"}


async def test_a_good_one_does_ask_the_database(cut_off: Api, issuer: Issuer) -> None:
    settings = cut_off.house.settings
    good = [by_secret()] if settings.better_auth_secret else []
    good += [key.token(**claims()) for key in issuer.keys] if settings.auth_jwks_url else []
    async with cut_off.client(None) as client:
        for method, path in DOORS:
            for token in good:
                assert (await ask(client, method, path, token)).status_code == 503
    async with cut_off.client(None) as client:
        expected = 503 if settings.better_auth_secret else 401
        assert (await ask(client, "GET", "/api/tasks", by_secret())).status_code == expected


async def test_while_no_key_is_known_a_token_that_may_be_good_is_asked_to_come_back(
    redis_url: str, issuer: Issuer
) -> None:
    settings = settings_of(
        database_url=f"postgresql://127.0.0.1:{free_port()}/nowhere",
        redis_url=redis_url,
        auth_jwks_url=f"http://127.0.0.1:{free_port()}/jwks",
    )
    async with api_of(settings) as api, api.client(None) as client:
        away = await ask(client, "POST", "/chatkit", RSA.token())
        assert (away.status_code, away.json()["type"]) == (503, "unavailable")
        assert 0 < int(away.headers["retry-after"]) <= 30
        assert (await ask(client, "POST", "/chatkit", unsigned("none"))).status_code == 401
        assert (await ask(client, "POST", "/chatkit", by_secret(secret=b"x" * 32))).status_code == 401
