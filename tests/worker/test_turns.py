"""What the next turn's model is given: the turns before it to the letter, and no more than fits."""

import json
from typing import Any

import pytest
from agents import Model
from chatkit.types import ThreadRetryAfterItemParams

from api.continuation import retry
from shared.database import AWAY, Database
from shared.settings import Settings
from tests.model_endpoint import Call, Endpoint, Text
from tests.rows import claimed
from tests.worker.carrying import Talking
from worker.current_run import CurrentRun, carrying_out
from worker.turns import Turns

pytestmark = pytest.mark.anyio


def text_of(message: dict[str, Any]) -> str:
    """The text of a chat-completions message, however it is written."""
    content = message["content"] or ""
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def texts(body: dict[str, Any]) -> list[str]:
    """The texts of a chat-completions request, after the instructions."""
    return [text_of(message) for message in body["messages"][1:]]


class Recording(Model):
    """A model that keeps what it is given, as bytes."""

    def __init__(self, inner: Model) -> None:
        self._inner, self.given = inner, list[list[bytes]]()

    def stream_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> Any:
        self.given.append([json.dumps(item).encode() for item in input])
        return self._inner.stream_response(system_instructions, input, *args, **kwargs)

    async def get_response(self, *args: Any, **kwargs: Any) -> Any:
        return await self._inner.get_response(*args, **kwargs)


async def test_what_a_provider_attached_to_its_items_goes_back_to_the_byte(
    database: Database, endpoint: Endpoint, gemini_settings: Settings, talking: Talking
) -> None:
    endpoint.replies(Call("add_task", {"title": "milk ✓"}), Text("Done.").thinking("A task."), Text("You are welcome."))
    models: list[Recording] = []
    talk = talking(gemini_settings, wrap=lambda model: models.append(Recording(model)) or models[0])
    await talk.say("add milk")
    turn = await database.across_users.one("SELECT items FROM turns", {})
    await talk.say("thank you")
    first, second, third = models[0].given
    assert turn is not None
    assert second[: len(first)] == first
    assert third[: len(second)] == second
    assert third[:-1] == [json.dumps(item).encode() for item in turn["items"]]
    assert b'"thought_signature": "signature of add_task"' in third[1]
    assert b"A task." in third[3]


async def test_gemini_is_sent_the_same_bytes_in_the_next_turn(
    endpoint: Endpoint, gemini_settings: Settings, talking: Talking
) -> None:
    endpoint.replies(Call("add_task", {"title": "milk"}), Text("Done."), Text("You are welcome."))
    talk = talking(gemini_settings)
    await talk.say("add milk")
    await talk.say("thank you")
    second, third = (request.body["contents"] for request in endpoint.requests[1:])
    # Within a turn a signature must go back; the SDK leaves those of earlier turns out, as Gemini's guide allows.
    assert second[1]["parts"][0].pop("thoughtSignature") == "signature of add_task"
    assert json.dumps(third[: len(second)]).encode() == json.dumps(second).encode()


async def test_the_rows_hold_the_agents_items_to_the_letter(
    database: Database, endpoint: Endpoint, openai_settings: Settings, talking: Talking
) -> None:
    endpoint.replies(Call("list_tasks", {}), Text("Nothing."))
    talk = talking(openai_settings)
    await talk.say("list")
    rows = await database.across_users.all("SELECT items::text AS items FROM turns", {})
    items = json.loads(rows[0]["items"])
    assert [item.get("type", item.get("role")) for item in items] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
    ]


async def test_a_long_conversation_drops_its_oldest_turns_whole(
    database: Database, endpoint: Endpoint, openai_settings: Settings, talking: Talking
) -> None:
    talk = talking(openai_settings, budget=700)
    for n in range(6):
        endpoint.replies(Call("list_tasks", {}), Text(f"answer {n}"))
        await talk.say(f"question {n}")
    endpoint.replies(Text("the end"))
    await talk.say("and now?")
    asked = endpoint.requests[-1].body["messages"]
    questions = [text_of(message) for message in asked if message["role"] == "user"]
    assert questions[-2:] == ["question 5", "and now?"]
    assert "question 0" not in questions
    for place, message in enumerate(asked):
        if message.get("tool_calls"):
            assert asked[place + 1]["role"] == "tool"
    assert len(questions) - 1 == sum(message["role"] == "tool" for message in asked)


async def test_a_retry_forgets_the_turns_after_it_and_doubles_nothing(
    database: Database, endpoint: Endpoint, openai_settings: Settings, talking: Talking
) -> None:
    endpoint.replies(Text("one"), Text("two"), Text("two again"), Text("three"))
    talk = talking(openai_settings)
    await talk.say("first")
    await talk.say("second")
    message = await database.across_users.one("SELECT id FROM messages WHERE content = 'second'", {})
    assert message is not None
    params = ThreadRetryAfterItemParams(thread_id=talk.conversation_id or "", item_id=message["id"])
    await talk.carry_out(await talk.admit(retry(params)))
    assert texts(endpoint.requests[2].body) == ["first", "one", "second"]
    await talk.say("third")
    assert texts(endpoint.requests[3].body) == ["first", "one", "second", "two again", "third"]


async def test_a_turn_without_items_is_rebuilt_from_its_messages(
    database: Database, endpoint: Endpoint, openai_settings: Settings, talking: Talking
) -> None:
    endpoint.replies(Text("one"), Text("two"))
    talk = talking(openai_settings)
    tag = {"type": "input_tag", "id": "t", "text": "milk", "data": {"shelf": 3}}
    await talk.say("", content=[{"type": "input_text", "text": "where is "}, tag])
    await database.across_users.run("DELETE FROM turns", {})
    await database.across_users.run(
        "INSERT INTO messages (conversation_id, id, position, type, item) SELECT id, 'x', 99, 'hologram', "
        '\'{"id": "x", "type": "hologram", "thread_id": "t", "created_at": "2026-01-01T00:00:00"}\' '
        "FROM conversations",
        {},
    )
    await database.across_users.run("UPDATE conversations SET next_position = 100", {})
    await talk.say("well?")
    asked = json.dumps(endpoint.requests[-1].body["messages"])
    assert "where is @milk" in asked
    assert '\\"shelf\\": 3' in asked
    assert "one" in asked
    assert "hologram" not in asked
    assert await database.across_users.one("SELECT id FROM messages WHERE id = 'x'", {})


async def test_a_failure_of_postgres_is_ours_and_gives_the_run_back(database: Database, database_url: str) -> None:
    run = await claimed(database)
    async with Database(database_url) as closed:
        pass
    turns = Turns(closed, budget=1000)
    for ask in (turns.history, lambda: turns.save([])):
        current = CurrentRun(run, say=lambda _: None)
        with carrying_out(current), pytest.raises(AWAY):
            await ask()
        assert isinstance(current.failure, AWAY)
