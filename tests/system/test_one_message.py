"""One user message, end to end, over HTTP against real processes."""

from tests.house import House
from tests.sse import frames, text_of, user_message


def test_the_simple_dialect_streams_an_answer_with_its_tool_calls(house: House) -> None:
    with (
        house.client("simple") as client,
        client.stream("POST", "/chatkit", json={"message": "add buy milk"}) as answer,
    ):
        assert answer.status_code == 200
        received = list(frames(answer.iter_lines()))
    types = [frame.data["type"] for frame in received if isinstance(frame.data, dict)]
    assert types[:2] == ["tool_call", "tool_result"]
    assert types[-1] == "done"
    assert [frame.data for frame in received[-2:-1]] == ["[DONE]"]
    assert received[-1].comment == "end completed"
    assert "milk" in text_of(received)


def test_a_reader_that_returns_in_mid_answer_gets_exactly_the_rest(house: House) -> None:
    with house.client("returning") as client:
        seen = []
        with client.stream("POST", "/chatkit", json=user_message("hello")) as answer:
            run_id = answer.headers["X-Run-Id"]
            for frame in frames(answer.iter_lines()):
                seen.append(frame)
                if len(seen) == 10:
                    break
        last = seen[-1].id
        assert last is not None
        with client.stream("GET", f"/runs/{run_id}/events", headers={"Last-Event-ID": last}) as rest:
            seen += list(frames(rest.iter_lines()))
        with client.stream("GET", f"/runs/{run_id}/events") as whole:
            expected = list(frames(whole.iter_lines()))
    assert seen == expected
