"""A worker is killed: its runs are taken over, nothing is shown twice, no tool runs twice."""

import time
from collections.abc import Iterator

import pytest

from tests.house import House, Process, Servers, house_of
from tests.model_endpoint import Call, Calls, Endpoint, Text
from tests.sse import Frame, frames, text_of, user_message
from tests.talk import ended, messages, shown_text

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def survivors(servers: Servers, model: Endpoint) -> Iterator[House]:
    """One API and two workers; a killed one is replaced by the next test that needs it."""
    env = {"MODEL": "gpt-test", "MODEL_BASE_URL": model.url, "DRAIN_SECONDS": "1"}
    with house_of(servers, workers=2, **env) as house:
        yield house


def owner_of(house: House, run_id: str) -> Process:
    """The worker that carries the run out."""
    [(owner,)] = house.sql("SELECT owner FROM runs WHERE id = %s", run_id)
    return next(worker for worker in house.workers if f'"{owner}"' in worker.text)


def kill(house: House, run_id: str) -> None:
    """SIGKILL to the run's worker; another takes its place, so that the next test finds two."""
    owner_of(house, run_id).kill()
    house.start_worker()


def until(received: Iterator[Frame], text: str) -> list[Frame]:
    """The frames up to the one that says this."""
    seen = []
    for frame in received:
        seen.append(frame)
        if text in str(frame.data):
            return seen
    raise AssertionError(f"never said: {text}; but {seen}")


def test_killed_in_mid_sentence_the_half_goes_and_the_whole_comes(survivors: House, model: Endpoint) -> None:
    model.reset()
    model.replies(Text("half of a sentence").waits_at(2), Text("a whole sentence"))
    with survivors.client("killed") as client, client.stream("POST", "/chatkit", json=user_message("go")) as answer:
        run_id, thread_id = answer.headers["X-Run-Id"], answer.headers["X-Thread-Id"]
        received = frames(answer.iter_lines())
        seen = until(received, "of")
        owner_of(survivors, run_id).kill()
        killed_at = time.monotonic()
        seen.append(next(frame for frame in received if frame.data))
        moved_after = time.monotonic() - killed_at
        seen += list(received)
        assert shown_text(seen) == "a whole sentence"
        removed = [
            frame.data["item_id"] for frame in seen if frame.data and frame.data["type"] == "thread.item.removed"
        ]
        assert len(removed) == 1
        assert seen[-1].comment == "end completed"
        assert [frame.sequence for frame in seen if frame.id] == sorted({frame.sequence for frame in seen if frame.id})
        assert [m["content"] for m in messages(client, thread_id)][1:] == ["a whole sentence"]
        assert ended(client, run_id)["attempt"] == 2
    assert moved_after < 10
    survivors.start_worker()


def test_a_finished_tool_and_a_whole_message_are_not_said_or_done_again(survivors: House, model: Endpoint) -> None:
    model.reset()
    model.replies(
        Calls(Call("add_task", {"title": "milk"}), Call("add_task", {"title": "bread"})),
        Text("Both are on your list.").waits_at(2),
        Text("Both are there."),
    )
    with survivors.client("journaled") as client, client.stream("POST", "/chatkit", json=user_message("go")) as answer:
        run_id, thread_id = answer.headers["X-Run-Id"], answer.headers["X-Thread-Id"]
        received = frames(answer.iter_lines())
        seen = until(received, "are")
        kill(survivors, run_id)
        seen += list(received)
        assert shown_text(seen) == "Both are there."
        assert [task["title"] for task in client.get("/api/tasks").json()] == ["milk", "bread"]
        assert len(model.requests) == 3
        workflows = [
            f.data["item"]["id"]
            for f in seen
            if f.data and f.data["type"] == "thread.item.done" and f.data["item"]["type"] == "workflow"
        ]
        assert len(workflows) == 1
        stored = messages(client, thread_id)
        assert [m["type"] for m in stored] == ["user_message", "workflow", "assistant_message"]
        assert [call["args"]["title"] for call in stored[-1]["tool_calls"]] == ["milk", "bread"]


def test_the_simple_dialect_takes_the_half_text_back_and_tells_each_tool_once(
    survivors: House, model: Endpoint
) -> None:
    model.reset()
    model.replies(Call("add_task", {"title": "milk"}), Text("half a text").waits_at(2), Text("the whole text"))
    with survivors.client("simple") as client, client.stream("POST", "/chatkit", json={"message": "go"}) as answer:
        received = frames(answer.iter_lines())
        seen = until(received, "a")
        seen += until(received, "half")
        kill(survivors, answer.headers["X-Run-Id"])
        seen += list(received)
    types = [frame.data["type"] for frame in seen if isinstance(frame.data, dict)]
    assert types.count("tool_call") == types.count("tool_result") == 1
    assert types.count("retract") == 1
    assert text_of(seen) == "the whole text"


def test_a_run_cancelled_while_its_worker_is_dead_ends_as_cancelled(survivors: House, model: Endpoint) -> None:
    model.reset()
    model.answers(lambda _: Text("half of a sentence").waits_at(2))
    with survivors.client("stopper") as client, client.stream("POST", "/chatkit", json=user_message("go")) as answer:
        run_id = answer.headers["X-Run-Id"]
        received = frames(answer.iter_lines())
        until(received, "of")
        owner_of(survivors, run_id).kill()
        assert client.post(f"/runs/{run_id}/cancel").status_code == 202
        rest = list(received)
    assert rest[-1].comment == "end cancelled"
    assert [frame.data["type"] for frame in rest if frame.data] == ["thread.item.removed"]
    survivors.start_worker()


def test_a_stopping_worker_hands_its_long_answer_over_and_spends_no_retry(survivors: House, model: Endpoint) -> None:
    model.reset()
    model.replies(Text("half of a sentence").waits_at(2), Text("a whole sentence"))
    with survivors.client("deployed") as client, client.stream("POST", "/chatkit", json=user_message("go")) as answer:
        run_id = answer.headers["X-Run-Id"]
        received = frames(answer.iter_lines())
        seen = until(received, "of")
        assert owner_of(survivors, run_id).stop() == 0
        seen += list(received)
        assert shown_text(seen) == "a whole sentence"
        assert ended(client, run_id)["status"] == "completed"
    assert survivors.sql("SELECT crashes FROM runs WHERE id = %s", run_id) == [(0,)]
    survivors.start_worker()
