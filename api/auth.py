"""A bearer token, turned into a principal: HS256 by the secret shared with the issuer, or by the keys it publishes."""

import re
import time
from base64 import urlsafe_b64encode
from typing import Any

import jwt
from pydantic import SecretStr

from api.published_keys import ALGORITHMS, PublishedKeys
from shared.errors import Unauthorized
from shared.identity import Principal
from shared.settings import Settings

MAX_TOKEN = 8 * 1024
MAX_SUBJECT = 255
MIN_SECRET = 32
"""Bytes: a shorter secret can be found out from one token (RFC 7518 §3.2)."""
LEEWAY_SECONDS = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def complaint(settings: Settings) -> str | None:
    """One sentence on what must be set before anyone can be let in, or safely."""
    secret = settings.better_auth_secret
    if secret is None:
        missing = settings.auth_jwks_url is None
        return "Nobody could be let in: set BETTER_AUTH_SECRET or AUTH_JWKS_URL (docs/auth.md)." if missing else None
    if len(secret.get_secret_value().encode()) < MIN_SECRET:
        return f"BETTER_AUTH_SECRET is too short to be safe: it needs {MIN_SECRET} characters (openssl rand -hex 32)."
    return None


class Authenticator:
    """Checks tokens. Whatever is wrong with one, the answer is the same, and no database is asked."""

    def __init__(self, settings: Settings, keys: PublishedKeys | None) -> None:
        secret = settings.better_auth_secret
        self._secret, self._keys = _as_key(secret) if secret else None, keys
        self._issuers, self._audiences = settings.auth_issuer, settings.auth_audience
        self._max_age = settings.auth_max_age

    async def principal(self, authorization: str | None) -> Principal:
        """Who the `Authorization` header says is asking. Raises Unauthorized; Unavailable while no key is known."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
            raise Unauthorized
        try:
            # The header alone: its other parts may be long, and are decoded below.
            header = jwt.get_unverified_header(token.partition(".")[0] + "..")
            claims = self._claims(token, await self._key(header))
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise Unauthorized from None
        issuer = claims["iss"] if len(self._issuers) > 1 else None
        return Principal(_subject(claims), issuer, self._expiry(claims))

    async def _key(self, header: dict[str, Any]) -> jwt.PyJWK:
        """The key that the token must have been signed with: each is bound to its one algorithm, and so to its source.

        Whatever else the header offers (a key, the address of one) is not looked at.
        """
        algorithm = header.get("alg")
        if "crit" in header or "b64" in header:
            raise Unauthorized
        if algorithm == "HS256" and self._secret is not None:
            return self._secret
        if algorithm in ALGORITHMS.values() and self._keys is not None:
            return await self._keys.find(algorithm, header.get("kid"))
        raise Unauthorized

    def _claims(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        return jwt.decode(
            token,
            key,
            leeway=LEEWAY_SECONDS,
            issuer=self._issuers or None,
            audience=self._audiences or None,
            options={
                "require": ["exp"],
                "verify_aud": bool(self._audiences),
                "verify_sub": False,
                "enforce_minimum_key_length": True,
            },
        )

    def _expiry(self, claims: dict[str, Any]) -> float:
        """A token that is good for years is as good as a password that never changes."""
        expires = claims["exp"]
        if not isinstance(expires, int | float) or expires > time.time() + self._max_age + LEEWAY_SECONDS:
            raise Unauthorized
        return expires


def _as_key(secret: SecretStr) -> jwt.PyJWK:
    encoded = urlsafe_b64encode(secret.get_secret_value().encode()).decode()
    return jwt.PyJWK({"kty": "oct", "k": encoded}, "HS256")


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"] if "sub" in claims else claims.get("id")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > MAX_SUBJECT or _CONTROL.search(subject):
        raise Unauthorized
    return subject
