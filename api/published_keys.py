"""The keys that an issuer publishes (a JWKS, RFC 7517): fetched by the clock, never on account of a token.

PyJWT's `PyJWKClient` blocks, fetches when a token asks for an unknown key, and counts only fetches that succeed.
"""

import asyncio
import json
import math
import time
from contextlib import suppress
from typing import Any

import httpx
import jwt
import structlog

from shared.errors import Unauthorized, Unavailable

logger = structlog.get_logger()

ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""Which kinds of key are taken (type, curve), and the one algorithm that each is good for."""
EVERY_SECONDS = 30.0
PATIENCE_SECONDS = 5.0
MAX_BYTES = 256 * 1024


class PublishedKeys:
    """The keys at one address, kept up to date by `async with`: one fetch each `every` seconds, whoever asks for what.

    Nothing waits for the first fetch but who asks for a key meanwhile; while fetches fail, the keys of the last one
    that did not stay good.
    """

    def __init__(self, url: str, *, every: float = EVERY_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        self._url, self._every, self._patience = url, every, patience
        self._keys: list[jwt.PyJWK] = []
        self._tried, self._due = asyncio.Event(), 0.0

    async def __aenter__(self) -> "PublishedKeys":
        # Not compressed: what is counted on its way in is then all that there is.
        self._client = httpx.AsyncClient(timeout=self._patience, headers={"Accept-Encoding": "identity"})
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeping
        await self._client.aclose()

    async def find(self, algorithm: object, key_id: object) -> jwt.PyJWK:
        """The key for this algorithm and of this id; without an id, the only one for the algorithm.

        Raises Unauthorized where there is none, and Unavailable while no key at all is known: the token may be good.
        """
        await self._tried.wait()
        if not self._keys:
            wait = max(1, math.ceil(self._due - time.monotonic()))
            raise Unavailable("Who is asking cannot be checked right now.", retry_after=wait)
        fitting = [key for key in self._keys if key.algorithm_name == algorithm and key_id in (None, key.key_id)]
        if len(fitting) != 1:
            raise Unauthorized
        return fitting[0]

    async def _keep(self) -> None:
        while True:
            self._due = time.monotonic() + self._every
            try:
                self._keys = await self._fetch()
            except Exception as error:  # whatever an issuer's server does, the next try comes in its time
                logger.warning("the issuer's keys cannot be fetched", error=type(error).__name__)
            self._tried.set()
            await asyncio.sleep(self._due - time.monotonic())

    async def _fetch(self) -> list[jwt.PyJWK]:
        body = bytearray()
        async with asyncio.timeout(self._patience), self._client.stream("GET", self._url) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError("too many keys")
        return [key for jwk in json.loads(body)["keys"] if (key := _usable(jwk))]


def _usable(jwk: Any) -> jwt.PyJWK | None:
    """The key, bound to its algorithm. None for what is of another kind, not for signatures, or no key."""
    try:
        algorithm = ALGORITHMS[jwk["kty"], jwk.get("crv")]
        if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
            return None
        return jwt.PyJWK(jwk, algorithm)
    except (jwt.PyJWTError, LookupError, TypeError, ValueError, AttributeError):
        return None
