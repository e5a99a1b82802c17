"""A bearer token, turned into a principal; whatever is wrong with one, the answer is the same."""

import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
import pytest

from api.auth import MAX_SUBJECT, Authenticator
from shared.errors import Unauthorized
from tests.house import SECRET, token
from tests.values import settings_of

HOUR = 3600


def signed(claims: dict[str, Any], *, secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


def unsigned(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def soon() -> int:
    return int(time.time()) + HOUR


def principal(header: str | None, **settings: Any) -> str:
    return Authenticator(settings_of(**settings)).principal(header).user_id


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_names_its_user(scheme: str) -> None:
    assert principal(f"{scheme} {token('ann')}") == "ann"


def test_the_id_is_the_user_only_where_there_is_no_subject() -> None:
    assert principal(f"Bearer {signed({'id': 'ann', 'exp': soon()})}") == "ann"
    assert principal(f"Bearer {token('ann', id='bob')}") == "ann"
    with pytest.raises(Unauthorized):
        principal(f"Bearer {signed({'sub': '', 'id': 'ann', 'exp': soon()})}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer abc", f"Token {token()}"])
def test_what_is_no_bearer_token_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        principal(header)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: signed({"sub": "ann", "exp": soon()}, secret="another secret, which is as long as the real one"),
        lambda: signed({"sub": "ann", "exp": soon()}, algorithm="HS512"),
        lambda: unsigned({"sub": "ann", "exp": soon()}),
        lambda: signed({"sub": "ann"}),
        lambda: signed({"sub": "ann", "exp": int(time.time()) - HOUR}),
        lambda: signed({"sub": "ann", "exp": soon() + 10 * 24 * HOUR}),
        lambda: signed({"sub": "ann", "exp": 30_000_000_000}),
        lambda: signed({"sub": "ann", "exp": float("inf")}),
        lambda: signed({"sub": "ann", "exp": float("nan")}),
        lambda: signed({"sub": "ann", "exp": "soon"}),
        lambda: signed({"sub": "ann", "exp": str(soon())}),
        lambda: signed({"sub": "ann", "exp": soon(), "nbf": soon()}),
        lambda: signed({"exp": soon()}),
        lambda: signed({"sub": "ann", "exp": soon(), "padding": "x" * 8192}),
    ],
)
def test_a_bad_token_is_refused(bad: Any) -> None:
    with pytest.raises(Unauthorized):
        principal(f"Bearer {bad()}")


@pytest.mark.parametrize(
    "subject", ["", "  ", "a\x00b", "a\nb", "x" * (MAX_SUBJECT + 1), 7, ["ann"], {"a": 1}, None, True]
)
def test_a_subject_that_could_own_no_row_is_refused(subject: Any) -> None:
    claims = json.dumps({"sub": subject, "exp": soon()}).encode()
    bad = jwt.api_jws.encode(claims, SECRET, algorithm="HS256")
    with pytest.raises(Unauthorized):
        principal(f"Bearer {bad}")


def test_a_token_may_live_as_long_as_the_settings_say() -> None:
    week = signed({"sub": "ann", "exp": int(time.time()) + 7 * 24 * HOUR})
    assert principal(f"Bearer {week}", auth_max_age=8 * 24 * HOUR) == "ann"


def test_without_a_secret_nobody_is_let_in() -> None:
    with pytest.raises(Unauthorized):
        principal(f"Bearer {token()}", better_auth_secret=None)
