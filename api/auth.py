"""A bearer token, turned into a principal: HS256 by the secret shared with the issuer."""

import re
import time

import jwt

from shared.errors import Unauthorized
from shared.identity import Principal
from shared.settings import Settings

MAX_TOKEN = 8 * 1024
MAX_SUBJECT = 255
LEEWAY_SECONDS = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Authenticator:
    """Checks tokens. Whatever is wrong with one, the answer is the same, and no database is asked."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.better_auth_secret
        self._secret = secret.get_secret_value() if secret else None
        self._max_age = settings.auth_max_age

    def principal(self, authorization: str | None) -> Principal:
        """Who the `Authorization` header says is asking. Raises Unauthorized."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN or self._secret is None:
            raise Unauthorized
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp"], "verify_aud": False, "verify_sub": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise Unauthorized from None
        self._check_age(claims)
        return Principal(_subject(claims))

    def _check_age(self, claims: dict[str, object]) -> None:
        """A token that is good for years is as good as a password that never changes."""
        expires = claims["exp"]
        if not isinstance(expires, int | float) or expires > time.time() + self._max_age + LEEWAY_SECONDS:
            raise Unauthorized


def _subject(claims: dict[str, object]) -> str:
    subject = claims["sub"] if "sub" in claims else claims.get("id")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > MAX_SUBJECT or _CONTROL.search(subject):
        raise Unauthorized
    return subject
