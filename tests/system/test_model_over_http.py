"""The default agent on an OpenAI-compatible model over HTTP: tools, history, Stop, a dropped line, bad habits."""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.house import House, eventually
from tests.model_endpoint import Call, Endpoint, Failure, Hang, Received, Text
from tests.sse import frames, text_of, user_message
from tests.talk import ended, messages, say, shown_text, submit, thread_of


def said(model: Endpoint, tokens: int) -> Received | bool:
    """The last request, once it has been answered with so many tokens."""
    return model.requests[-1] if model.requests[-1].tokens >= tokens else False


def test_a_tool_call_split_over_deltas_reaches_the_users_own_rows(modelled: House, model: Endpoint) -> None:
    model.replies(Call("add_task", {"title": "milk"}), Text("Done, milk is on your list."))
    with modelled.client("caller") as client:
        received = say(client, "add milk, please")
        assert [task["title"] for task in client.get("/api/tasks").json()] == ["milk"]
        stored = messages(client, thread_of(received))
    assert shown_text(received) == "Done, milk is on your list."
    assert [message["role"] for message in stored] == ["user", "assistant", "assistant"]
    assert stored[-1]["tool_calls"][0]["name"] == "add_task"
    assert stored[-1]["tool_calls"][0]["args"] == {"title": "milk"}
    with modelled.client("somebody else") as client:
        assert client.get("/api/tasks").json() == []


def test_the_second_turn_knows_the_first_ones_tool_call(modelled: House, model: Endpoint) -> None:
    model.replies(Call("add_task", {"title": "bread"}), Text("Bread it is."), Text("You asked for bread."))
    with modelled.client("rememberer") as client:
        thread_id = thread_of(say(client, "add bread"))
        say(client, "what did I ask for?", thread_id)
        stored = [message for message in messages(client, thread_id) if message["type"] == "assistant_message"]
    assert len({message["id"] for message in stored}) == 2
    asked = model.requests[-1].messages
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert asked[2]["tool_calls"][0]["function"]["name"] == "add_task"
    assert "bread" in asked[3]["content"]


def test_a_client_that_drops_its_socket_loses_nothing(modelled: House, model: Endpoint) -> None:
    model.replies(Text("one two three four five").waits_at(2))
    with modelled.client("dropper") as client:
        run_id, thread_id = submit(client, "count")
        model.wait(lambda: said(model, 2))
        model.release()
        assert ended(client, run_id)["status"] == "completed"
        assert messages(client, thread_id)[-1]["content"] == "one two three four five"
    hidden = modelled.sql("SELECT count(*) FROM messages WHERE type = 'sdk_hidden_context' AND run_id = %s", run_id)
    assert hidden == [(0,)]


def test_stop_ends_the_stream_and_the_model_call_and_keeps_the_partial_text_once(
    modelled: House, model: Endpoint
) -> None:
    model.replies(Text("one two three four five six").waits_at(3))
    with modelled.client("stopper") as client, client.stream("POST", "/chatkit", json=user_message("go")) as answer:
        run_id, thread_id = answer.headers["X-Run-Id"], answer.headers["X-Thread-Id"]
        received = frames(answer.iter_lines())
        while "three" not in str(next(received).data):
            pass
        began = time.monotonic()
        # From the other API: any replica stops any run.
        with modelled.client("stopper", api=1) as other:
            assert other.post(f"/runs/{run_id}/cancel").status_code == 202
        rest = list(received)
        assert time.monotonic() - began < 1.0
        assert rest[-1].comment == "end cancelled"
        model.wait(lambda: model.requests[-1].closed and model.requests[-1])
        stored = [m["content"] for m in messages(client, thread_id) if m["type"] == "assistant_message"]
        assert stored == ["one two three "]
        assert shown_text(rest) == "one two three "
        assert client.post(f"/runs/{run_id}/cancel").json() == {"status": "cancelled"}


def test_fifty_conversations_at_once_on_two_workers_each_answered_once(modelled: House, model: Endpoint) -> None:
    model.answers(lambda request: Text(f"you said {request.user}"))

    def converse(number: int) -> tuple[str, str]:
        with modelled.client(f"user {number}", api=number % 2) as client:
            received = say(client, f"number {number}")
            return shown_text(received), received[-1].comment or ""

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(converse, range(50)))
    assert answers == [(f"you said number {number}", "end completed") for number in range(50)]
    assert len([request for request in model.requests if request.user.startswith("number")]) == 50
    rows = modelled.sql("SELECT count(*), max(attempt) FROM runs WHERE user_id LIKE 'user %%'")
    assert rows == [(50, 1)]


def test_a_model_that_fails_or_hangs_is_an_error_with_retry_and_the_message_stays(
    modelled: House, model: Endpoint
) -> None:
    for habit in (Failure(400), Hang(), Text("half an").hangs_at(2), Text("cut short").ends_at(1)):
        model.reset()
        model.answers(lambda _, habit=habit: habit)
        with modelled.client("unlucky") as client:
            received = say(client, "are you there?")
            error = next(frame.data for frame in received if frame.data and frame.data["type"] == "error")
            assert error == {"type": "error", "code": "stream.error", "allow_retry": True}
            assert received[-1].comment == "end failed"
            thread_id = thread_of(received)
            assert [m["content"] for m in messages(client, thread_id)] == ["are you there?"]
            last_run = client.get(f"/api/conversations/{thread_id}").json()["last_run"]
            assert last_run["status"] == "failed"


def test_a_failure_in_the_simple_dialect_takes_the_half_text_back(modelled: House, model: Endpoint) -> None:
    model.answers(lambda _: Text("half an answer").hangs_at(2))
    with modelled.client("simple") as client, client.stream("POST", "/chatkit", json={"message": "hi"}) as answer:
        received = list(frames(answer.iter_lines()))
    types = [frame.data["type"] for frame in received if isinstance(frame.data, dict)]
    assert types[-3:] == ["retract", "error", "done"]
    assert text_of(received) == ""


def test_an_interrupting_message_ends_the_answer_before_it(modelled: House, model: Endpoint) -> None:
    model.answers_to("first", Text("one two three four").waits_at(2))
    model.answers_to("second", Text("the second answer"))
    with modelled.client("impatient") as client:
        run_id, thread_id = submit(client, "first")
        model.wait(lambda: said(model, 2))
        received = say(client, "second", thread_id)
        assert shown_text(received) == "the second answer"
        assert ended(client, run_id)["status"] == "cancelled"


def test_a_client_with_the_helper_is_refused_while_an_answer_runs(modelled: House, model: Endpoint) -> None:
    model.answers(lambda _: Text("one two three four").waits_at(2))
    with modelled.client("patient") as client:
        run_id, thread_id = submit(client, "first")
        busy = client.post("/chatkit", json=user_message("second", thread_id), headers={"X-Resumable": "1"})
        assert busy.status_code == 409
        assert busy.json()["type"] == "conversation-busy"
        assert busy.headers["X-Run-Id"] == run_id
        client.post(f"/runs/{run_id}/cancel")
        eventually(lambda: client.get(f"/runs/{run_id}").json()["status"] == "cancelled")
        assert len([m for m in messages(client, thread_id) if m["role"] == "user"]) == 1
