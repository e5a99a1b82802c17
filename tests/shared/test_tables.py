"""The tables: what belongs to a conversation goes with it, and what it holds is declared once."""

from sqlmodel import SQLModel

import shared.tables  # noqa: F401  (registers the tables)

TABLES = SQLModel.metadata.tables


def test_everything_that_hangs_on_a_row_goes_with_it() -> None:
    keys = [key for table in TABLES.values() for key in table.foreign_keys]
    assert len(keys) > 5
    assert {key.ondelete for key in keys} == {"CASCADE"}


def test_every_owned_row_says_whose_it_is() -> None:
    roots = {"conversations", "runs", "attachments", "feedback", "tasks", "idempotency_keys"}
    assert {name for name, table in TABLES.items() if "user_id" in table.columns} == roots
    for name in TABLES.keys() - roots:
        assert TABLES[name].foreign_keys, name


def test_every_moment_has_a_time_zone() -> None:
    moments = [column for table in TABLES.values() for column in table.columns if column.name.endswith("_at")]
    assert len(moments) > 5
    assert all(column.type.timezone for column in moments)  # type: ignore[attr-defined]


def test_only_answers_exclude_one_another() -> None:
    [index] = [index for index in TABLES["runs"].indexes if index.unique]
    assert [column.name for column in index.columns] == ["conversation_id"]
    assert "kind <> 'call'" in str(index.dialect_options["postgresql"]["where"])
