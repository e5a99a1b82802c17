"""The default server: what a message asks for, carries and mentions reaches the model."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared import attachments
from shared.database import Database
from shared.files import DirectoryFiles
from shared.settings import Settings
from tests.model_endpoint import Call, Endpoint, Text
from tests.worker.carrying import RULES, Talking

pytestmark = pytest.mark.anyio

PIXEL = b"\x89PNG pixel"


async def attached(database: Database, directory: Path, name: str, mime_type: str, data: bytes) -> str:
    """An attachment of Ann's."""

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    made = RULES.make(name, mime_type, size=len(data), uploaded=True)
    await DirectoryFiles(directory).save(made.id, chunks())
    async with database.across_users.connection() as connection:
        await attachments.save(connection, "ann", made, size=len(data))
    return made.id


async def test_a_picture_is_given_to_the_model_as_data_and_kept_as_a_reference(
    database: Database, endpoint: Endpoint, openai_settings: Settings, tmp_path: Path, talking: Talking
) -> None:
    endpoint.replies(Call("list_tasks", {}), Text("A pixel."), Text("Still a pixel."))
    talk = talking(openai_settings)
    picture = await attached(database, tmp_path, "dot.png", "image/png", PIXEL)
    await talk.say("what is this?", attachments=[picture])
    await talk.say("and now?")
    url = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    for request in endpoint.requests:
        [image] = [part for part in request.messages[1]["content"] if part["type"] == "image_url"]
        assert image["image_url"]["url"] == url
    rows = await database.across_users.all(
        "SELECT items::text AS items FROM turns UNION ALL SELECT item::text FROM messages", {}
    )
    assert not any("base64" in row["items"] for row in rows)


async def test_a_text_file_is_given_as_text(
    database: Database, endpoint: Endpoint, openai_settings: Settings, tmp_path: Path, talking: Talking
) -> None:
    talk = talking(openai_settings)
    file = await attached(database, tmp_path, "list.txt", "text/plain", b"milk\nbread")
    await talk.say("attachment:atc_someone_elses", attachments=[file])
    content = endpoint.requests[-1].messages[1]["content"]
    texts = [part["text"] for part in content]
    assert texts == ["attachment:atc_someone_elses", '<file name="list.txt">\nmilk\nbread\n</file>']


async def test_a_deleted_file_is_said_to_be_deleted(
    database: Database, endpoint: Endpoint, openai_settings: Settings, tmp_path: Path, talking: Talking
) -> None:
    talk = talking(openai_settings)
    file = await attached(database, tmp_path, "dot.png", "image/png", PIXEL)
    await talk.say("look", attachments=[file])
    await DirectoryFiles(tmp_path).delete(file)
    await talk.say("again")
    assert "has been deleted" in str(endpoint.requests[-1].messages[1]["content"])


async def test_quoted_text_reaches_the_model(
    database: Database, endpoint: Endpoint, openai_settings: Settings, tmp_path: Path, talking: Talking
) -> None:
    await talking(openai_settings).say("what of this?", quoted_text="buy milk")
    assert "buy milk" in str(endpoint.requests[-1].messages[1:])


async def test_a_message_may_ask_for_a_listed_model_and_a_tool(
    database: Database, endpoint: Endpoint, openai_settings: Settings, tmp_path: Path, talking: Talking
) -> None:
    settings = openai_settings.model_copy(update={"models": ("other",)})
    endpoint.replies(Call("list_tasks", {}), Text("Nothing."), Text("Hello."))
    talk = talking(settings)
    await talk.say("list", inference_options={"model": "other", "tool_choice": {"id": "list_tasks"}})
    await talk.say("hello")
    first, second, third = (request.body for request in endpoint.requests)
    assert (first["model"], second["model"], third["model"]) == ("other", "other", "test")
    assert first["tool_choice"]["function"]["name"] == "list_tasks"
    assert "tool_choice" not in second or second["tool_choice"] == "auto"
