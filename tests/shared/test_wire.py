"""Bytes as the SDK's own server sends them, and nothing that no database keeps."""

import json

import psycopg
import pytest
from chatkit.server import ChatKitServer
from chatkit.types import FileAttachment, ProgressUpdateEvent, UserMessageItem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from shared.database import Database
from shared.wire import clean, clean_text, json_string, to_stored, to_wire
from tests.rows import user_message
from tests.texts import anything, storable

pytestmark = pytest.mark.anyio

json_values = st.recursive(
    anything | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(anything, inner, max_size=3),
    max_leaves=6,
)


def as_the_sdk(model: object) -> bytes:
    return ChatKitServer._serialize(None, model)  # type: ignore[arg-type]


def with_attachment() -> UserMessageItem:
    file = FileAttachment(id="atc_1", name="a.txt", mime_type="text/plain", metadata={"bucket": "b"})
    return user_message("see this", "thr_1").model_copy(update={"attachments": [file]})


@given(storable)
def test_what_can_be_stored_goes_out_as_the_sdk_sends_it(text: str) -> None:
    event = ProgressUpdateEvent(text=text)
    assert to_wire(event) == as_the_sdk(event)
    assert json_string(text) == to_json(text)


@given(anything)
def test_what_cannot_be_stored_becomes_a_replacement_character(text: str) -> None:
    event = ProgressUpdateEvent.model_construct(type="progress_update", text=text)
    said = json.loads(to_wire(event))["text"]
    assert said == clean_text(text) == json.loads(json_string(text))
    assert len(said) == len(text)


@given(value=json_values)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_postgres_keeps_every_cleaned_value(database: Database, value: object) -> None:
    kept = clean(value)
    row = await database.across_users.one("SELECT %(value)s::jsonb AS value", {"value": json.dumps(kept)})
    assert row is not None
    assert row["value"] == kept


async def test_postgres_would_not_keep_them_uncleaned(database: Database) -> None:
    for text in ("\x00", "\ud800"):
        with pytest.raises((psycopg.DataError, UnicodeEncodeError)):
            await database.across_users.one("SELECT %(text)s::text AS text", {"text": text})
        assert await database.across_users.one("SELECT %(text)s::text AS text", {"text": clean_text(text)}) == {
            "text": "\ufffd"
        }


def test_an_attachments_metadata_is_stored_and_never_sent() -> None:
    item = with_attachment()
    assert b"bucket" not in to_wire(item)
    assert to_wire(item) == as_the_sdk(item)
    assert json.loads(to_stored(item))["attachments"][0]["metadata"] == {"bucket": "b"}


def test_keys_are_cleaned_too() -> None:
    assert clean({"a\x00": ("b\ud800", 1)}) == {"a\ufffd": ["b\ufffd", 1]}


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert json.loads(json_string("\\u0000")) == "\\u0000"
    assert json.loads(to_wire(ProgressUpdateEvent(text="\\u0000")))["text"] == "\\u0000"
