"""A stream does not outlive its token for long; a fresh token takes it up where it ended."""

import time
from collections.abc import Iterator

import httpx
import pytest

from api.auth import LEEWAY_SECONDS
from tests.house import PATIENCE, House, Servers, house_of, token
from tests.sse import Frame, frames, user_message
from tests.talk import submit

GOOD_FOR = 4
"""Seconds: less than the story takes."""


@pytest.fixture(scope="module")
def strict(servers: Servers) -> Iterator[House]:
    """A house whose streams end when their token stops being good."""
    with house_of(servers, TOKEN_GRACE=str(LEEWAY_SECONDS)) as house:
        yield house


def ageing(house: House, user: str) -> httpx.Client:
    """A client whose token is expired, and good a little longer by the leeway that clocks are given."""
    bearer = token(user, exp=time.time() - LEEWAY_SECONDS + GOOD_FOR)
    return httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {bearer}"}, timeout=PATIENCE)


def has_ended(received: list[Frame]) -> bool:
    return any((frame.comment or "").startswith("end") for frame in received)


def kept(received: list[Frame]) -> list[tuple[object, ...]]:
    """What has a place in the run: the relay's own words have none."""
    return [(frame.id, frame.data) for frame in received if frame.id]


def test_a_stream_ends_with_its_token_and_a_fresh_one_is_given_exactly_the_rest(strict: House) -> None:
    with ageing(strict, "ann") as client:
        with client.stream("POST", "/chatkit", json=user_message("tell me a long story")) as answer:
            events = answer.headers["Content-Location"]
            begun = list(frames(answer.iter_lines()))
        assert not has_ended(begun)
        cursor = {"Last-Event-ID": str(kept(begun)[-1][0])}
        assert client.get(events, headers=cursor).status_code == 401
    with strict.client("ann") as client:
        with client.stream("GET", events, headers=cursor) as answer:
            rest = list(frames(answer.iter_lines()))
        with client.stream("GET", events) as answer:
            whole = list(frames(answer.iter_lines()))
    assert rest[-1].comment == "end completed"
    assert kept(rest)
    assert kept(begun) + kept(rest) == kept(whole)


def test_a_page_that_attaches_is_held_to_its_token_too(strict: House) -> None:
    with strict.client("bob") as client:
        _, thread_id = submit(client, "tell me a long story")
    attach = {"type": "threads.custom_action", "params": {"thread_id": thread_id, "action": {"type": "run.attach"}}}
    with ageing(strict, "bob") as client:
        received = list(frames(client.post("/chatkit", json=attach).text.splitlines()))
    assert kept(received)
    assert not has_ended(received)
