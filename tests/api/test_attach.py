"""`run.attach`: what a page that was reloaded is told, whatever it had loaded before."""

from typing import Any

import httpx
import redis

from tests.house import House
from tests.sse import Frame, frames
from tests.talk import ended, messages, say, submit, thread_of


def attach(client: httpx.Client, thread_id: str, payload: dict[str, Any] | None = None) -> list[Frame]:
    """Everything that the action is answered with."""
    action = {"type": "run.attach", **({"payload": payload} if payload else {})}
    body = {"type": "threads.custom_action", "params": {"thread_id": thread_id, "action": action}}
    with client.stream("POST", "/chatkit", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        return list(frames(answer.iter_lines()))


def kinds(received: list[Frame]) -> list[str]:
    """What the frames are about, a run of updates told once."""
    told = [frame.data["type"] if frame.data else frame.comment or "" for frame in received]
    return [kind for n, kind in enumerate(told) if n == 0 or kind != told[n - 1]]


def test_a_running_answer_is_taken_up_where_it_is(house: House) -> None:
    with house.client("attach") as client:
        run_id, thread_id = submit(client, "tell me a long story")
        received = attach(client, thread_id)
        assert ended(client, run_id)["status"] == "completed"
        assert "thread.created" not in kinds(received)
        assert received[-1].comment == "end completed"
        shown: dict[str, str] = {}
        for frame in received:
            match frame.data:
                case {"type": "thread.item.done" | "thread.item.added", "item": item}:
                    shown[item["id"]] = "".join(part["text"] for part in item["content"])
                case {"type": "thread.item.updated", "item_id": item_id, "update": {"delta": delta}}:
                    shown[item_id] += delta
        assert shown == {one["id"]: one["content"] for one in messages(client, thread_id)}


def test_what_it_is_told_goes_on_under_the_cursor_of_its_last_frame(house: House) -> None:
    with house.client("attach cursor") as client:
        run_id, thread_id = submit(client, "tell me a long story")
        received = attach(client, thread_id)
        first = next(frame.id for frame in received if frame.id)
        with client.stream("GET", f"/runs/{run_id}/events", params={"after": first}) as answer:
            again = list(frames(answer.iter_lines()))
        later = received[[frame.id for frame in received].index(first) + 1 :]
        assert [frame.data for frame in again] == [frame.data for frame in later]


def test_without_an_answer_it_ends_at_once(house: House) -> None:
    with house.client("attach none") as client:
        thread_id = thread_of(say(client, "what is on my list?"))
        assert [frame.comment for frame in attach(client, thread_id)] == ["end none"]


def test_an_answer_that_the_page_knew_of_and_that_has_ended_is_told_whole(house: House) -> None:
    with house.client("attach ended") as client:
        run_id, thread_id = submit(client, "add buy milk")
        ended(client, run_id)
        received = attach(client, thread_id, {"run_id": run_id})
        done = [frame.data["item"] for frame in received if frame.data and frame.data["type"] == "thread.item.done"]
        assert [item["type"] for item in done] == ["user_message", "workflow", "assistant_message"]
        assert received[-1].comment == "end completed"


def test_a_log_that_is_gone_is_told_from_what_is_stored(house: House) -> None:
    with house.client("attach gone") as client:
        run_id, thread_id = submit(client, "add bread")
        ended(client, run_id)
        with redis.Redis.from_url(house.redis_url) as log:
            log.delete(f"run:{{{run_id}}}:head", f"run:{{{run_id}}}:events")
        received = attach(client, thread_id, {"run_id": run_id})
        assert kinds(received) == ["thread.item.done", "end completed"]
        assert len(received) == 4


def test_a_foreign_conversation_and_a_foreign_run_are_not_found(house: House) -> None:
    with house.client("attach owner") as client:
        run_id, thread_id = submit(client, "add tea")
        _, other_thread = submit(client, "add cake")
        body: dict[str, Any] = {"type": "threads.custom_action", "params": {"action": {"type": "run.attach"}}}
        body["params"]["thread_id"] = thread_id
        with house.client("attach stranger") as stranger:
            assert stranger.post("/chatkit", json=body).status_code == 404
        body["params"] = {**body["params"], "thread_id": other_thread}
        body["params"]["action"]["payload"] = {"run_id": run_id}
        assert client.post("/chatkit", json=body).status_code == 404


def test_an_attach_admits_no_run_and_stores_nothing(house: House) -> None:
    with house.client("attach nothing") as client:
        thread_id = thread_of(say(client, "what is on my list?"))
        before = house.sql("SELECT count(*) FROM runs WHERE user_id = 'attach nothing'")
        attach(client, thread_id)
        assert house.sql("SELECT count(*) FROM runs WHERE user_id = 'attach nothing'") == before == [(1,)]
