"""A bearer token, turned into a principal; whatever is wrong with one, the answer is the same."""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jwt
import pytest

from api.auth import MAX_SUBJECT, Authenticator, complaint
from api.published_keys import PublishedKeys
from shared.errors import Unauthorized
from shared.identity import Principal
from tests.house import SECRET, token
from tests.issuer import Issuer, Key, forged, running_issuer
from tests.values import settings_of

pytestmark = pytest.mark.anyio

HOUR = 3600
KEYS = {algorithm: Key(algorithm, algorithm) for algorithm in ("RS256", "ES256", "EdDSA")}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.keys = list(KEYS.values())
        yield running


@pytest.fixture
async def keys(issuer: Issuer) -> AsyncIterator[PublishedKeys]:
    async with PublishedKeys(issuer.url) as kept:
        yield kept


def signed(claims: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


def soon() -> int:
    return int(time.time()) + HOUR


async def principal(header: str | None, keys: PublishedKeys | None = None, **settings: Any) -> Principal:
    return await Authenticator(settings_of(**settings), keys).principal(header)


async def user_id(token: str, keys: PublishedKeys | None = None, **settings: Any) -> str:
    return (await principal(f"Bearer {token}", keys, **settings)).user_id


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_good_token_names_its_user(scheme: str) -> None:
    assert (await principal(f"{scheme} {token('ann')}")).user_id == "ann"


async def test_a_good_token_says_how_long_it_is_good() -> None:
    expires = soon() - 1800
    assert (await principal(f"Bearer {token('ann', exp=expires)}")).expires_at == expires


async def test_the_id_is_the_user_only_where_there_is_no_subject() -> None:
    assert await user_id(signed({"id": "ann", "exp": soon()})) == "ann"
    assert await user_id(token("ann", id="bob")) == "ann"
    with pytest.raises(Unauthorized):
        await user_id(signed({"sub": "", "id": "ann", "exp": soon()}))


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer abc", f"Token {token()}"])
async def test_what_is_no_bearer_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        await principal(header)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: signed({"sub": "ann", "exp": soon()}, secret="another secret, which is as long as the real one"),
        lambda: signed({"sub": "ann", "exp": soon()}, algorithm="HS512"),
        lambda: forged({"alg": "none", "typ": "JWT"}, {"sub": "ann", "exp": soon()}, b"").rpartition(".")[0] + ".",
        lambda: signed({"sub": "ann"}),
        lambda: signed({"sub": "ann", "exp": int(time.time()) - HOUR}),
        lambda: signed({"sub": "ann", "exp": soon() + 10 * 24 * HOUR}),
        lambda: signed({"sub": "ann", "exp": 30_000_000_000}),
        lambda: signed({"sub": "ann", "exp": float("inf")}),
        lambda: signed({"sub": "ann", "exp": float("nan")}),
        lambda: signed({"sub": "ann", "exp": "soon"}),
        lambda: signed({"sub": "ann", "exp": str(soon())}),
        lambda: signed({"sub": "ann", "exp": soon(), "nbf": soon()}),
        lambda: signed({"sub": "ann", "exp": soon(), "iat": soon()}),
        lambda: signed({"exp": soon()}),
        lambda: signed({"sub": "ann", "exp": soon(), "padding": "x" * 8192}),
    ],
)
async def test_a_bad_token_is_refused(bad: Any) -> None:
    with pytest.raises(Unauthorized):
        await principal(f"Bearer {bad()}")


@pytest.mark.parametrize(
    "subject",
    [
        *("", "  ", "\u00a0", "a\x00b", "a\nb", "a\x7fb", "a\x85b", "a\u2028b", "a\ud800b", "x" * (MAX_SUBJECT + 1)),
        *(7, ["ann"], {"a": 1}, None, True),
    ],
)
async def test_a_subject_that_could_own_no_row_is_refused(subject: Any) -> None:
    with pytest.raises(Unauthorized):
        await user_id(token(subject))


async def test_a_token_may_live_as_long_as_the_settings_say() -> None:
    week = signed({"sub": "ann", "exp": int(time.time()) + 7 * 24 * HOUR})
    assert await user_id(week, auth_max_age=8 * 24 * HOUR) == "ann"


async def test_a_token_has_at_most_eight_kilobytes() -> None:
    assert await user_id(large := token("ann", padding="x" * 6000)) == "ann"
    assert 8000 < len(large) <= 8192
    with pytest.raises(Unauthorized):
        await user_id(token("ann", padding="x" * 6100))


async def test_clocks_may_differ_by_a_few_seconds() -> None:
    now = int(time.time())
    assert await user_id(token("ann", exp=now - 5)) == "ann"
    assert await user_id(token("ann", iat=now + 5, nbf=now + 5)) == "ann"


async def test_without_a_secret_nobody_is_let_in() -> None:
    with pytest.raises(Unauthorized):
        await user_id(token(), better_auth_secret=None)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_a_token_is_checked_by_the_published_key_it_was_signed_with(key: Key, keys: PublishedKeys) -> None:
    assert await user_id(key.token("ann"), keys) == "ann"
    assert await user_id(key.token("ann"), keys, better_auth_secret=None) == "ann"
    with pytest.raises(Unauthorized):
        await user_id(key.token("ann"))
    for other in KEYS.values():
        if other is not key:
            with pytest.raises(Unauthorized):
                await user_id(other.token("ann", header={"kid": key.key_id}), keys)


async def test_both_kinds_of_token_are_good_where_both_kinds_of_key_are_known(keys: PublishedKeys) -> None:
    assert await user_id(token("ann"), keys) == "ann"
    assert await user_id(KEYS["EdDSA"].token("ann"), keys) == "ann"


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_a_key_that_is_too_weak_is_nobodys(issuer: Issuer) -> None:
    issuer.keys = [weak := Key("weak", "RSA-1024")]
    async with PublishedKeys(issuer.url) as keys:
        with pytest.raises(Unauthorized):
            await user_id(weak.token("ann"), keys)


async def test_only_the_issuers_that_are_named_are_believed() -> None:
    named = {"auth_issuer": ("https://a.example",)}
    assert await user_id(token("ann", iss="https://a.example"), **named) == "ann"
    for claims in ({}, {"iss": "https://a.example/"}, {"iss": ""}, {"iss": None}, {"iss": ["https://a.example"]}):
        other = forged({"alg": "HS256"}, {"sub": "ann", "exp": soon(), **claims}, SECRET.encode())
        with pytest.raises(Unauthorized):
            await user_id(other, **named)


async def test_among_several_issuers_the_same_subject_is_another_user() -> None:
    issuers = ("https://a.example", "https://b.example")
    users = [await principal(f"Bearer {token('ann', iss=iss)}", auth_issuer=issuers) for iss in issuers]
    assert [user.user_id for user in users] == ["https://a.example|ann", "https://b.example|ann"]
    assert [(user.issuer, user.subject) for user in users] == [(iss, "ann") for iss in issuers]


@pytest.mark.parametrize("aud", ["ours", ["ours"], ["theirs", "ours"], "also ours"])
async def test_a_token_that_is_meant_for_us_is_good(aud: Any) -> None:
    assert await user_id(token("ann", aud=aud), auth_audience=("ours", "also ours")) == "ann"


@pytest.mark.parametrize("aud", [{}, "theirs", [], ["theirs"], "our", 7, ["ours", 7], None, "ours,also ours"])
async def test_a_token_that_is_meant_for_others_is_refused(aud: Any) -> None:
    with pytest.raises(Unauthorized):
        await user_id(token("ann", aud=aud), auth_audience=("ours", "also ours"))


async def test_where_nobody_is_named_anyone_may_be_meant() -> None:
    assert await user_id(token("ann", iss="https://a.example", aud="somebody")) == "ann"


@pytest.mark.parametrize("length", [1, 31])
def test_a_secret_that_could_be_guessed_is_complained_of(length: int) -> None:
    said = complaint(settings_of(better_auth_secret="s" * length))
    assert said is not None
    assert "BETTER_AUTH_SECRET" in said
    assert "sss" not in said


def test_who_could_let_nobody_in_is_told_what_to_set() -> None:
    said = complaint(settings_of(better_auth_secret=None))
    assert said is not None
    assert "BETTER_AUTH_SECRET or AUTH_JWKS_URL" in said


def test_a_secret_or_an_address_of_keys_is_enough() -> None:
    assert complaint(settings_of()) is None
    assert complaint(settings_of(better_auth_secret=None, auth_jwks_url="https://a.example/jwks")) is None
    assert complaint(settings_of(auth_jwks_url="https://a.example/jwks")) is None
