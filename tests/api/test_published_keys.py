"""The issuer's keys: fetched by the clock, whatever tokens ask for and whatever its server does."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from api.published_keys import MAX_BYTES, PublishedKeys
from shared.errors import Unauthorized, Unavailable
from tests.issuer import Issuer, Key, running_issuer
from tests.waiting import until

pytestmark = pytest.mark.anyio

NEVER_AGAIN = 3600.0
OFTEN = 0.05


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


async def found(keys: PublishedKeys, key: Key) -> bool:
    """Whether the key is known."""
    try:
        await keys.find(key.algorithm, key.key_id)
    except (Unauthorized, Unavailable):
        return False
    return True


async def known(keys: PublishedKeys, key: Key, holds: bool = True) -> None:
    """Wait until the key is known, or is not any more."""
    async with asyncio.timeout(30):
        while await found(keys, key) is not holds:  # noqa: ASYNC110  (there is no event to wait for)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_published_key_is_good_for_its_one_algorithm(issuer: Issuer, algorithm: str) -> None:
    key = Key("one", algorithm)
    issuer.keys = [key]
    async with PublishedKeys(issuer.url) as keys:
        assert (await keys.find(algorithm, "one")).algorithm_name == algorithm
        for other in {"RS256", "ES256", "EdDSA", "HS256", "RS512", "none"} - {algorithm}:
            with pytest.raises(Unauthorized):
                await keys.find(other, "one")


async def test_without_an_id_only_an_only_key_is_meant(issuer: Issuer) -> None:
    issuer.keys = [Key("one"), Key("two", "ES256"), Key(None, "RS256")]
    async with PublishedKeys(issuer.url) as keys:
        assert (await keys.find("EdDSA", None)).key_id == "one"
        assert (await keys.find("RS256", None)).key_id is None
        for stranger in ("three", "../one", "", 7, ["one"]):
            with pytest.raises(Unauthorized):
                await keys.find("EdDSA", stranger)
    issuer.keys.append(Key("other"))
    async with PublishedKeys(issuer.url) as keys:
        with pytest.raises(Unauthorized):
            await keys.find("EdDSA", None)


async def test_what_is_no_key_for_signatures_by_an_algorithm_of_ours_is_left_out(issuer: Issuer) -> None:
    edwards, elliptic, rsa = (Key(None, algorithm).jwk for algorithm in ("EdDSA", "ES256", "RS256"))
    others: list[dict[str, Any]] = [
        *({}, {"kty": "RSA"}, {"kty": ["RSA"]}, {**rsa, "n": 5}, {**rsa, "use": ["sig"]}, {**rsa, "alg": ["RS256"]}),
        *({**rsa, "alg": alg} for alg in ("HS256", "RS512", "PS256", "ES256", "none", None)),
        *({"kty": "oct", "k": "c2VjcmV0", **more} for more in ({}, {"alg": "RS256"}, {"crv": "P-256"})),
        {**elliptic, "crv": "P-384"},
        {**edwards, "crv": "X25519"},
        {**edwards, "use": "enc"},
    ]
    issuer.also = ["text", None, 7, [], *({**other, "kid": f"kid {n}"} for n, other in enumerate(others))]
    async with PublishedKeys(issuer.url) as keys:
        assert await found(keys, issuer.keys[0])
        for n in range(len(others)):
            for algorithm in ("RS256", "ES256", "EdDSA", "HS256"):
                with pytest.raises(Unauthorized):
                    await keys.find(algorithm, f"kid {n}")


async def test_a_rotation_is_seen_and_a_withdrawn_key_is_good_no_more(issuer: Issuer) -> None:
    [first], second = issuer.keys, Key("second")
    async with PublishedKeys(issuer.url, every=OFTEN) as keys:
        assert await found(keys, first)
        issuer.keys = [first, second]
        await known(keys, second)
        assert await found(keys, first)
        issuer.keys = [second]
        await known(keys, first, False)
        assert await found(keys, second)


async def test_a_thousand_unknown_ids_at_once_are_one_fetch(issuer: Issuer) -> None:
    issuer.open.clear()
    async with PublishedKeys(issuer.url, every=NEVER_AGAIN) as keys:
        asked = [asyncio.create_task(keys.find("EdDSA", f"unknown {n}")) for n in range(1000)]
        good = asyncio.create_task(keys.find("EdDSA", "first"))
        await until(lambda: issuer.requests)
        issuer.open.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unauthorized}
        assert (await good).key_id == "first"
    assert issuer.requests == 1


@pytest.mark.parametrize("trouble", ["500", "302", "not JSON", "no set", "too large", "hangs", "drips"])
async def test_whatever_the_server_does_the_known_keys_stay_good_and_the_next_try_has_its_time(
    issuer: Issuer, trouble: str
) -> None:
    first, second = issuer.keys[0], Key("second")
    async with PublishedKeys(issuer.url, every=OFTEN, patience=0.1) as keys:
        assert await found(keys, first)
        issuer.keys = [second]
        issuer.status = int(trouble) if trouble.isdigit() else 200
        bodies = {"not JSON": b"<html>", "no set": b"[1]", "too large": b" " * MAX_BYTES + issuer.published}
        issuer.body = bodies.get(trouble)
        issuer.seconds_per_byte = 0.02 if trouble == "drips" else 0
        if trouble == "hangs":
            issuer.open.clear()
        seen = issuer.requests
        await until(lambda: issuer.requests > seen + 2)
        assert await found(keys, first)
        assert not await found(keys, second)
        issuer.status, issuer.body, issuer.seconds_per_byte = 200, None, 0
        issuer.open.set()
        await known(keys, second)
    assert issuer.paths == {"/jwks"}


async def test_as_long_as_no_key_was_ever_known_no_token_is_called_bad(issuer: Issuer) -> None:
    issuer.open.clear()
    async with PublishedKeys(issuer.url, every=NEVER_AGAIN, patience=0.05) as keys:
        asked = [asyncio.create_task(keys.find("EdDSA", "first")) for _ in range(100)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(answer) for answer in answers} == {Unavailable}
        with pytest.raises(Unavailable) as away:
            await keys.find("EdDSA", "first")
        assert 0 < int(away.value.headers["Retry-After"]) <= NEVER_AGAIN
    assert issuer.requests == 1


async def test_a_set_without_a_key_of_ours_is_no_answer(issuer: Issuer) -> None:
    issuer.keys, issuer.also = [], [{"kty": "oct", "k": "c2VjcmV0", "kid": "kid"}]
    async with PublishedKeys(issuer.url, every=OFTEN) as keys:
        with pytest.raises(Unavailable):
            await keys.find("EdDSA", "first")
        issuer.keys = [Key("first")]
        await known(keys, issuer.keys[0])


async def test_when_the_server_goes_away_the_known_keys_stay_good() -> None:
    async with AsyncExitStack() as stack:
        with running_issuer() as issuer:
            keys = await stack.enter_async_context(PublishedKeys(issuer.url, every=OFTEN))
            assert await found(keys, issuer.keys[0])
        with capture_logs() as logs:
            await until(lambda: len(logs) > 2)
        assert {line["error"] for line in logs} == {"ConnectError"}
        assert await found(keys, issuer.keys[0])


async def test_a_server_that_is_not_there_keeps_nobody_from_starting_or_stopping() -> None:
    async with PublishedKeys("http://127.0.0.1:1/jwks", every=NEVER_AGAIN) as keys:
        with pytest.raises(Unavailable):
            await keys.find("EdDSA", "first")
    async with PublishedKeys("https://no such host/", every=NEVER_AGAIN):
        pass


async def test_a_set_of_thirty_keys_with_their_certificates_is_within_the_bound(issuer: Issuer) -> None:
    published: dict[str, Any] = {**Key("k", "RS256").jwk, "x5c": ["M" * 4000]}
    issuer.also = [{**published, "kid": f"k{n}"} for n in range(30)]
    async with PublishedKeys(issuer.url) as keys:
        assert (await keys.find("RS256", "k29")).key_id == "k29"
