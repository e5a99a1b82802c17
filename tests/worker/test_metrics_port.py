"""A worker's metrics on a port of their own: closed unless asked for, and never in the way of another worker's."""

import httpx
import pytest
from pydantic import SecretStr

from shared.settings import UnusableSettings
from tests.values import settings_of
from worker.metrics import WorkerMeter
from worker.metrics_port import metrics_port

pytestmark = pytest.mark.anyio


def test_there_is_none_unless_it_is_asked_for() -> None:
    with metrics_port(settings_of(), WorkerMeter()) as port:
        assert port is None


def test_two_workers_of_one_machine_take_a_free_one_each() -> None:
    one, other = WorkerMeter(), WorkerMeter()
    one.crashed(3)
    settings = settings_of(metrics_port=0)
    with metrics_port(settings, one) as first, metrics_port(settings, other) as second:
        pages = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in (first, second)]
    assert "chatkit_crashes_total 3.0" in pages[0]
    assert "chatkit_crashes_total 0.0" in pages[1]


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with (
        metrics_port(settings_of(metrics_port=0), WorkerMeter()) as taken,
        pytest.raises(UnusableSettings, match=f"METRICS_PORT={taken} of 127.0.0.1 cannot be had"),
        metrics_port(settings_of(metrics_port=taken), WorkerMeter()),
    ):
        pass


def test_the_port_is_free_again_afterwards() -> None:
    with metrics_port(settings_of(metrics_port=0), WorkerMeter()) as port:
        pass
    with metrics_port(settings_of(metrics_port=port), WorkerMeter()) as again:
        assert again == port


def test_the_token_is_asked_for_here_too() -> None:
    settings = settings_of(metrics_port=0, metrics_token=SecretStr("s3cret"))
    with metrics_port(settings, WorkerMeter()) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": "Bearer s3cret"}).status_code == 200


async def test_it_answers_while_the_workers_loop_stands_still() -> None:
    with metrics_port(settings_of(metrics_port=0), WorkerMeter()) as port:
        # A blocking call: nothing else moves in this loop meanwhile.
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200  # noqa: ASYNC210
