"""Many at once: nobody waits for somebody who asks for much, and a full queue is full for every API process."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.house import House, Servers, bearer, eventually, house_of
from tests.sse import user_message
from tests.talk import submit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OTHERS = [f"other {n}" for n in range(10)]
EACH = 4
GREED = 50
"""How many times as much as each of the others the greedy one asks for."""

WAITS = """
SELECT extract(epoch FROM started_at - created_at)::float FROM runs WHERE user_id LIKE 'other %%' ORDER BY created_at
"""
STILL_WAITING = "SELECT count(*) FROM runs WHERE user_id = 'greedy' AND status = 'queued'"


def one_by_one(house: House) -> list[float]:
    """Each of the others says something and waits for it to begin; how long each waited in the queue."""
    before = len(house.sql(WAITS))
    for _ in range(EACH):
        for user in OTHERS:
            with house.client(user) as client:
                run_id = submit(client, "hello")[0]
                eventually(lambda run_id=run_id: house.sql("SELECT started_at FROM runs WHERE id = %s", run_id)[0][0])
    return [float(str(wait)) for (wait,) in house.sql(WAITS)[before:]]


def test_who_asks_for_fifty_times_as_much_keeps_nobody_waiting(servers: Servers) -> None:
    """As shipped, but that the greedy one's messages are let in. With MAX_RUNNING_RUNS at 1000 this fails."""
    much = {"WORKER_SLOTS": "40", "MAX_ACTIVE_RUNS": "1000", "MAX_RUNNING_RUNS": "10"}
    with house_of(servers, **much) as house, ThreadPoolExecutor(10) as pool, house.client("greedy") as greedy:
        idle = one_by_one(house)
        asked = [pool.submit(submit, greedy, "tell me a long story") for _ in range(GREED * EACH)]
        eventually(lambda: int(str(house.sql(STILL_WAITING)[0][0])) > 20)
        beside = one_by_one(house)
        for one in asked:
            one.result()
        ((waiting,),) = house.sql(STILL_WAITING)
        print(f"waits in seconds: idle {figures(idle)}, beside the greedy {figures(beside)}; {waiting} of his waiting")
        assert int(str(waiting)) > 20, "there was nobody to wait for"
        assert max(beside) <= max(idle) + 1.0


def figures(waits: list[float]) -> str:
    """The median, the 95th of a hundred and the longest."""
    waits = sorted(waits)
    return f"p50 {waits[len(waits) // 2]:.3f} p95 {waits[int(len(waits) * 0.95)]:.3f} max {waits[-1]:.3f}"


def test_a_burst_on_three_processes_fills_the_queue_once(servers: Servers) -> None:
    with house_of(servers, workers=0, apis=3, MAX_QUEUED="50") as house, ThreadPoolExecutor(60) as pool:

        def come(number: int) -> httpx.Response:
            url = f"{house.urls[number % 3]}/chatkit"
            with httpx.stream(
                "POST", url, json=user_message("hello"), headers=bearer(f"user {number}"), timeout=60
            ) as answer:
                return answer

        answers = list(pool.map(come, range(300)))
        let_in = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code != 200]
        print(f"{len(let_in)} of {len(answers)} let in where 50 may wait")
        assert house.sql("SELECT count(*) FROM runs") == [(len(let_in),)]
        assert {answer.status_code for answer in refused} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        assert 50 <= len(let_in) <= 80, "no more beyond it than were on their way into Postgres at that moment"
