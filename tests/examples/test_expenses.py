"""The bookkeeper, carried out as runs: a receipt, its questions, and what becomes of the answers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chatkit.types import ThreadAddStructuredInputParams

from api.continuation import structured_input
from examples.expenses import Server
from shared import attachments
from shared.database import Database
from shared.files import DirectoryFiles
from tests.worker.carrying import RULES, Talk
from worker.attachment_store import OwnAttachments
from worker.conversation_store import ConversationStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def talk(database: Database, tmp_path: Path) -> Talk:
    server = Server(ConversationStore(database))
    server.attachment_store = OwnAttachments(database, DirectoryFiles(tmp_path), RULES)
    return Talk(database, server)


async def receipt(talk: Talk, directory: Path) -> str:
    """A receipt of Ann's."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Train to Bern, CHF 51"

    made = RULES.make("train.txt", "text/plain", size=21, uploaded=True)
    await DirectoryFiles(directory).save(made.id, chunks())
    async with talk.database.across_users.connection() as connection:
        await attachments.save(connection, "ann", made, size=21)
    return made.id


async def asked(talk: Talk, directory: Path) -> Any:
    """The questions about a receipt."""
    events = await talk.say("for you", attachments=[await receipt(talk, directory)])
    [questions] = [event.item for event in events if event.type == "thread.item.done"]
    return questions


async def submitted(talk: Talk, questions: Any, submission: dict[str, Any]) -> str:
    """What is said to the answers."""
    params = {"thread_id": talk.conversation_id, "item_id": questions.id, "input": submission}
    run = await talk.admit(structured_input(ThreadAddStructuredInputParams.model_validate(params)))
    events = await talk.carry_out(run)
    texts = [event.item.content[0].text for event in events if event.type == "thread.item.done"]
    return "".join(texts)


async def test_a_receipt_is_booked_once_its_questions_are_answered(talk: Talk, tmp_path: Path) -> None:
    questions = await asked(talk, tmp_path)
    assert [question.question for question in questions.inputs] == ["Which category?", "What was it for?"]
    answers = {"category": {"values": ["travel"]}, "purpose": {"values": ["a visit"]}}
    assert await submitted(talk, questions, {"answers": answers}) == "Booked under **travel**, for: a visit."
    row = await talk.database.across_users.one("SELECT title FROM conversations", {})
    assert row == {"title": "train.txt"}


async def test_nothing_is_booked_if_they_are_skipped(talk: Talk, tmp_path: Path) -> None:
    questions = await asked(talk, tmp_path)
    assert await submitted(talk, questions, {"status": "skipped"}) == "Then I have booked nothing."


async def test_without_a_receipt_it_asks_for_one(talk: Talk) -> None:
    events = await talk.say("hello")
    assert events[-1].item.content[0].text == "Attach a receipt, and I will ask what it was for."
