"""A model that fails, hangs, breaks off, calls for ever, or names things badly (rows 24, 25)."""

import pytest

from tests.faults.checker import complaints
from tests.faults.clients import Tab
from tests.faults.house import FaultHouse
from tests.faults.labels import label
from tests.faults.report import Sighting
from tests.faults.scripts import Call, Calls, Text, asked, story
from tests.model_endpoint import PROVIDER_SECRET, Failure, Hang, Reply

HABITS: dict[str, Reply] = {
    "429": Failure(429),
    "500": Failure(500),
    "401": Failure(401),
    "no answer at all": Hang(),
    "hang after three tokens": Text(story(20)).hangs_at(3),
    "hang with keep-alive": Text(story(20)).hangs_at(3, keep_alive=True),
    "garbage chunk": Text(story(20)).garbles_at(3),
    "dropped line": Text(story(20)).breaks_at(3),
    "end without finish reason": Text(story(20)).ends_at(3),
    "finish reason length": Text(story(3)).finishes("length"),
}


@pytest.mark.row(24)
@pytest.mark.parametrize("server", ["todo", "impatient_team"])
@pytest.mark.parametrize("habit", HABITS)
def test_a_model_that_fails_is_an_error_with_retry_and_no_half_answer(
    request: pytest.FixtureRequest, sighting: Sighting, server: str, habit: str
) -> None:
    house: FaultHouse = request.getfixturevalue(server)
    name = label("habit")
    house.model.answers(lambda request: HABITS[habit] if name in request.user else None)
    tab = house.ask(f"plain {name}")
    ended = tab.ended()
    if habit == "finish reason length" and ended == "completed":
        sighting.seen(f"{server}: an answer cut by its length limit stands")
        return
    assert ended == "failed"
    (error,) = tab.of_type("error")
    assert error.frame.data["allow_retry"] is True
    assert not [item for item in tab.fold().items() if item["type"] == "assistant_message"]
    assert leaks(house, tab) == []
    assert complaints(house, [tab]) == []
    with house.client(tab.user) as client:
        assert client.get(f"/api/conversations/{tab.thread_id}").json()["last_run"]["status"] == "failed"
    sighting.seen(f"{habit}: failed with retry")


@pytest.mark.row(24)
def test_a_model_that_cannot_be_reached_is_an_error_with_retry(team: FaultHouse, sighting: Sighting) -> None:
    worker = team.worker(TEAM_MODEL_URL="http://127.0.0.1:1/v1")
    for other in team.others(worker):
        other.stop()
    tab = team.ask("plain unreachable")
    assert tab.ended() == "failed"
    assert [one.frame.data["allow_retry"] for one in tab.of_type("error")] == [True]
    assert complaints(team, [tab]) == []
    worker.stop()
    sighting.seen("connection refused: failed with retry")


@pytest.mark.row(25)
def test_a_model_that_calls_tools_for_ever_is_bounded(team: FaultHouse, sighting: Sighting) -> None:
    name = label("forever")

    def choose(request):  # noqa: ANN001, ANN202
        return Call("put", {"label": f"{name}{request.step}"}) if name in request.user else None

    team.model.answers(choose)
    tab = team.ask(f"plain {name}")
    assert tab.ended() == "failed"
    assert tab.of_type("error")
    assert len(asked(team.model, name)) <= 30
    assert complaints(team, [tab]) == []
    sighting.seen(f"ended with an error after {len(asked(team.model, name))} model calls")


@pytest.mark.row(25)
@pytest.mark.parametrize("server", ["todo", "team"])
@pytest.mark.parametrize("call_id", ["", "call_1", "__fake_id__"])
def test_calls_with_empty_or_repeated_ids_are_all_run(
    request: pytest.FixtureRequest, sighting: Sighting, server: str, call_id: str
) -> None:
    house: FaultHouse = request.getfixturevalue(server)
    name = label("sameid")
    tool, argument = ("add_task", "title") if server == "todo" else ("note", "label")
    labels = [[f"{name}{said}{turn}{letter}" for letter in "abc"] for said in ("one", "two") for turn in (1, 2)]
    calls = [Calls(*(Call(tool, {argument: one}, id=call_id) for one in three)) for three in labels]
    house.model.answers_to(f"{name} one", *calls[:2], Text(f"all done {name} one"))
    house.model.answers_to(f"{name} two", *calls[2:], Text(f"all done {name} two"))
    first = house.ask(f"plain {name} one", user=name)
    assert first.ended() == "completed"
    second = house.ask(f"plain {name} two", user=name, thread_id=first.thread_id)
    assert second.ended() == "completed"
    assert done_by(house, name) == sorted(one for three in labels for one in three)
    ids = house.sql("SELECT id FROM messages WHERE conversation_id = %s", first.thread_id)
    assert len(ids) == len(set(ids))
    answers = "SELECT count(*) FROM messages WHERE conversation_id = %s AND type = 'assistant_message'"
    assert house.sql(answers, first.thread_id) == [(2,)]
    assert complaints(house, [first, second]) == []
    sighting.seen(f"{server}, id {call_id!r}: six calls run in each turn, all messages distinct")


def done_by(house: FaultHouse, name: str) -> list[str]:
    """The effects whose labels begin so, or the tasks of the user of that name."""
    tasks = [title for (title,) in house.sql("SELECT title FROM tasks WHERE user_id = %s", name)]
    return sorted(
        tasks or [one for (one,) in house.sql("SELECT label FROM test_calls WHERE label LIKE %s", f"{name}%")]
    )


def leaks(house: FaultHouse, tab: Tab) -> list[str]:
    """Where the provider's own words can be read."""
    places = {
        "the stream": " ".join(str(seen.frame.data) for seen in tab.seen),
        "the messages": str(house.sql("SELECT item, content FROM messages WHERE run_id = %s", tab.run_id)),
        "the record": str(house.sql("SELECT error, result FROM runs WHERE id = %s", tab.run_id)),
        "a log": " ".join(worker.text for worker in house.workers),
    }
    return [place for place, text in places.items() if PROVIDER_SECRET in text]
