"""The tables: what belongs to a conversation goes with it, and what it holds is declared once."""

import re
from pathlib import Path

import psycopg
from sqlmodel import SQLModel

import shared.tables  # noqa: F401  (registers the tables)
from shared.identity import Principal

TABLES = SQLModel.metadata.tables
AUTH_DOCS = Path(__file__).parents[2] / "docs/auth.md"


def test_everything_that_hangs_on_a_row_goes_with_it() -> None:
    keys = [key for table in TABLES.values() for key in table.foreign_keys]
    assert len(keys) > 5
    assert {key.ondelete for key in keys} == {"CASCADE"}


def test_every_owned_row_says_whose_it_is() -> None:
    roots = {"conversations", "runs", "attachments", "feedback", "tasks", "idempotency_keys", "daily_tokens"}
    assert {name for name, table in TABLES.items() if "user_id" in table.columns} == roots
    for name in TABLES.keys() - roots:
        assert TABLES[name].foreign_keys, name


def test_a_second_issuer_gives_every_owned_row_its_new_owner_as_the_docs_tell(database_url: str) -> None:
    [renaming] = re.findall("^```sql\n(.*?)^```", AUTH_DOCS.read_text(), re.MULTILINE | re.DOTALL)
    owned = [name for name, table in TABLES.items() if "user_id" in table.columns]
    assert sorted(re.findall(r"^UPDATE (\w+) +SET user_id = ", renaming, re.MULTILINE)) == sorted(owned)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET chatkit.user_id = 'ann'")
        connection.execute("INSERT INTO tasks (id, user_id, title) VALUES ('tsk_1', 'ann', 'milk')")
        connection.execute(renaming)
        assert connection.execute("SELECT id FROM tasks").fetchall() == []
        new_owner = Principal("ann", issuer="https://app.example.com").user_id
        connection.execute("SELECT set_config('chatkit.user_id', %s, false)", [new_owner])
        assert connection.execute("SELECT id FROM tasks").fetchall() == [("tsk_1",)]


def test_every_moment_has_a_time_zone() -> None:
    moments = [column for table in TABLES.values() for column in table.columns if column.name.endswith("_at")]
    assert len(moments) > 5
    assert all(column.type.timezone for column in moments)  # type: ignore[attr-defined]


def test_only_answers_exclude_one_another() -> None:
    [index] = [index for index in TABLES["runs"].indexes if index.unique]
    assert [column.name for column in index.columns] == ["conversation_id"]
    assert "kind <> 'call'" in str(index.dialect_options["postgresql"]["where"])
