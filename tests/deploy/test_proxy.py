"""Through nginx as deploy/proxy sets it up: streams arrive as they are told, and find another replica."""

from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest

from tests.deploy.proxies import MISSING, NGINX, PATIENCE_SECONDS, proxied
from tests.faults.clients import Tab, asking
from tests.faults.waiting import until
from tests.house import House, Servers, bearer, house_of
from tests.sse import frames, user_message
from tests.talk import messages

pytestmark = pytest.mark.skipif(NGINX is None, reason=MISSING)

PING_SECONDS = 0.5


@pytest.fixture(scope="module")
def house(servers: Servers) -> Iterator[House]:
    """Two APIs and a worker."""
    with house_of(servers, apis=2, PING_INTERVAL=str(PING_SECONDS)) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx's address."""
    with proxied(house, tmp_path_factory.mktemp("nginx")) as url:
        yield url


def client(url: str, user: str = "ann") -> httpx.Client:
    return httpx.Client(base_url=url, headers=bearer(user), timeout=60)


def test_a_story_arrives_while_it_is_being_told(proxy: str) -> None:
    tab = Tab([proxy], "ann", body=asking("tell me a long story")).start().admitted()
    assert tab.ended() == "completed"
    moments = [seen.at for seen in tab.seen if seen.frame.id]
    assert len(moments) > 100
    assert moments[-1] - moments[0] > 4
    assert max(after - before for before, after in pairwise(moments)) < (moments[-1] - moments[0]) / 3


def test_the_headers_of_a_stream_pass(proxy: str) -> None:
    with client(proxy) as ann, ann.stream("POST", "/chatkit", json=user_message("hello")) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["X-Run-Id"]
        assert answer.headers["Cache-Control"] == "no-cache, no-transform"
        assert list(frames(answer.iter_lines()))[-1].comment == "end completed"


def test_a_killed_replica_costs_a_stream_nothing(proxy: str, house: House) -> None:
    tabs = [Tab([proxy], f"user {n}", body=asking("tell me a long story"), key=f"k{n}").start() for n in range(4)]
    for tab in tabs:
        tab.admitted()
        until(lambda tab=tab: len(tab.text) > 40, "a beginning")
    house.apis[1].kill()
    assert [tab.ended() for tab in tabs] == ["completed"] * 4
    for tab in tabs:
        again = Tab([proxy], tab.user, run_id=tab.run_id).start()
        assert again.ended() == "completed"
        assert tab.ids == again.ids
        with client(proxy, tab.user) as user:
            assert [tab.text] == [one["content"] for one in messages(user, tab.thread_id)[1:]]
    assert any(tab.connections > 1 for tab in tabs)


def test_a_silence_longer_than_the_proxys_patience_is_survived(proxy: str, house: House) -> None:
    house.workers[0].stop()
    tab = Tab([proxy], "ann", body=asking("hello")).start().admitted()
    until(lambda: silence(tab) > 2 * PATIENCE_SECONDS, "pings")
    assert tab.connections == 1
    house.start_worker(wait=False)
    assert tab.ended() == "completed"


def silence(tab: Tab) -> float:
    """Seconds from its first ping to its last."""
    pings = [seen.at for seen in list(tab.seen) if seen.frame.comment == "ping"] or [0.0]
    return pings[-1] - pings[0]


def test_a_file_is_uploaded_and_shown(proxy: str) -> None:
    with client(proxy) as ann:
        answer = ann.post("/attachments", files={"file": ("a.txt", b"x" * 3_000_000, "text/plain")})
        assert answer.status_code == 200, answer.text


def test_what_is_too_large_is_refused_by_the_api_and_far_beyond_by_the_proxy_in_the_same_words(proxy: str) -> None:
    with client(proxy) as ann:
        for size in (1_500_000, 26_000_000):
            answer = ann.post("/chatkit", json=user_message("x" * size))
            assert answer.status_code == 413
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert (answer.json()["type"], answer.json()["status"]) == ("too-large", 413)
