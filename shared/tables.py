"""The tables. Changed together with a migration, in one commit; `alembic check` compares the two."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Date, DateTime, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NOW = text("clock_timestamp()")


def _text(*, primary_key: bool = False) -> Any:
    return Field(sa_column=Column(Text, primary_key=primary_key, nullable=False))


def _reference(target: str, *, primary_key: bool = False, nullable: bool = False) -> Any:
    foreign_key = ForeignKey(target, ondelete="CASCADE")
    return Field(sa_column=Column(Text, foreign_key, primary_key=primary_key, nullable=nullable))


def _optional_text() -> Any:
    return Field(default=None, sa_column=Column(Text, nullable=True))


def _json(name: str | None = None, *, default: str | None = None) -> Any:
    arguments = (name, JSONB) if name else (JSONB,)
    server_default = text(f"'{default}'::jsonb") if default else None
    return Field(default=None, sa_column=Column(*arguments, nullable=default is None, server_default=server_default))


def _exact_json(*, default: str | None = None) -> Any:
    """JSON kept to the letter: jsonb would reorder its keys, and models are sent these again."""
    server_default = text(f"'{default}'::json") if default else None
    return Field(default=None, sa_column=Column(JSON, nullable=default is None, server_default=server_default))


def _created() -> Any:
    return Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=False, server_default=NOW))


def _moment() -> Any:
    return Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=True))


def _count(default: int = 0) -> Any:
    return Field(default=default, sa_column=Column(Integer, nullable=False, server_default=text(str(default))))


class Conversation(SQLModel, table=True):
    """One ChatKit thread. `next_position` hands out its messages' places."""

    __tablename__ = "conversations"
    __table_args__ = (Index("conversations_of_user", "user_id", "id"),)

    id: str = _text(primary_key=True)
    user_id: str = _text()
    title: str | None = _optional_text()
    status: dict[str, Any] = _json(default='{"type": "active"}')
    metadata_: dict[str, Any] = _json("metadata", default="{}")
    allowed_image_domains: list[str] | None = _json()
    created_at: datetime = _created()
    updated_at: datetime = _created()
    next_position: int = Field(default=1, sa_column=Column(BigInteger, nullable=False, server_default=text("1")))


class Message(SQLModel, table=True):
    """One ChatKit thread item: `item` is the whole of it, `content` its readable text, `position` its place.

    `attempt` is the attempt of `run_id` that wrote it last; 0 is the admission.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("messages_in_order", "conversation_id", "position", unique=True),
        Index("messages_of_run", "run_id"),
    )

    conversation_id: str = _reference("conversations.id", primary_key=True)
    id: str = _text(primary_key=True)
    run_id: str | None = _optional_text()
    attempt: int = _count()
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    type: str = _text()
    role: str | None = _optional_text()
    content: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=text("''")))
    tool_calls: list[dict[str, Any]] | None = _json()
    item: dict[str, Any] = _json(default="{}")
    created_at: datetime = _created()


class Run(SQLModel, table=True):
    """One answer being produced, from admission to its terminal status (see shared/runs.py)."""

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "one_active_run_per_conversation",
            "conversation_id",
            unique=True,
            postgresql_where=text("status IN ('queued', 'running') AND kind <> 'call'"),
        ),
        Index("runs_active_of_user", "user_id", "id", postgresql_where=text("status IN ('queued', 'running')")),
        Index("runs_waiting", "id", postgresql_where=text("status = 'queued'")),
        Index("runs_leased", "lease_until", postgresql_where=text("status = 'running'")),
        Index("runs_of_conversation", "conversation_id", "id"),
        Index("runs_of_user", "user_id", "id"),
    )

    id: str = _text(primary_key=True)
    conversation_id: str | None = _reference("conversations.id", nullable=True)
    user_id: str = _text()
    kind: str = _text()
    status: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'queued'")))
    request: dict[str, Any] = _json(default="{}")
    attempt: int = _count()
    generation: int = _count(1)
    crashes: int = _count()
    owner: str | None = _optional_text()
    lease_until: datetime | None = _moment()
    rings: int = _count()
    rung_at: datetime | None = _moment()
    cancel_requested_at: datetime | None = _moment()
    deadline: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    created_at: datetime = _created()
    started_at: datetime | None = _moment()
    finished_at: datetime | None = _moment()
    usage: dict[str, Any] | None = _json()
    error: dict[str, Any] | None = _json()
    result: dict[str, Any] | None = _json()


class Turn(SQLModel, table=True):
    """The raw agent items of one finished run: what the next turn's model input is made of."""

    __tablename__ = "turns"
    __table_args__ = (Index("turns_in_order", "conversation_id", "position"),)

    run_id: str = _reference("runs.id", primary_key=True)
    conversation_id: str = _reference("conversations.id")
    position: int = Field(sa_column=Column(BigInteger, nullable=False))
    items: list[dict[str, Any]] = _exact_json(default="[]")


class RunStep(SQLModel, table=True):
    """The journal's model responses: the n-th call of one agent path in a run."""

    __tablename__ = "run_steps"

    run_id: str = _reference("runs.id", primary_key=True)
    path: str = _text(primary_key=True)
    n: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    attempt: int = _count()
    fingerprint: str = _text()
    response: dict[str, Any] = _exact_json(default="{}")
    created_at: datetime = _created()


class ToolCall(SQLModel, table=True):
    """The journal's tool calls: the index-th call of a journaled model response."""

    __tablename__ = "tool_calls"

    run_id: str = _reference("runs.id", primary_key=True)
    path: str = _text(primary_key=True)
    n: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    index: int = Field(sa_column=Column("index", Integer, primary_key=True, autoincrement=False))
    attempt: int = _count()
    name: str = _text()
    idempotency_key: str = _text()
    outcome: dict[str, Any] | None = _exact_json()
    started_at: datetime = _created()
    finished_at: datetime | None = _moment()


class DailyTokens(SQLModel, table=True):
    """What a user's runs have taken of their models on one day (see shared/daily_tokens.py)."""

    __tablename__ = "daily_tokens"

    user_id: str = _text(primary_key=True)
    day: date = Field(sa_column=Column(Date, primary_key=True))
    tokens: int = Field(sa_column=Column(BigInteger, nullable=False))


class IdempotencyKey(SQLModel, table=True):
    """A submit that may be sent again: same key and body, same run."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_by_age", "created_at"),)

    user_id: str = _text(primary_key=True)
    key: str = _text(primary_key=True)
    run_id: str = _reference("runs.id")
    fingerprint: str = _text()
    created_at: datetime = _created()


class Attachment(SQLModel, table=True):
    """An uploaded file: bound to a conversation once a message carries it."""

    __tablename__ = "attachments"
    __table_args__ = (Index("attachments_of_conversation", "conversation_id"),)

    id: str = _text(primary_key=True)
    user_id: str = _text()
    conversation_id: str | None = _reference("conversations.id", nullable=True)
    name: str = _text()
    mime_type: str = _text()
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    attachment: dict[str, Any] = _json(default="{}")
    uploaded_at: datetime | None = _moment()
    created_at: datetime = _created()


class Feedback(SQLModel, table=True):
    """Who thought what of which messages."""

    __tablename__ = "feedback"
    __table_args__ = (Index("feedback_of_conversation", "conversation_id"),)

    id: str = _text(primary_key=True)
    user_id: str = _text()
    conversation_id: str = _reference("conversations.id")
    item_ids: list[str] = _json(default="[]")
    kind: str = _text()
    created_at: datetime = _created()


class Task(SQLModel, table=True):
    """An entry of a user's todo list, the default agent's subject."""

    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_of_user", "user_id", "created_at"),)

    id: str = _text(primary_key=True)
    user_id: str = _text()
    title: str = _text()
    completed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: datetime = _created()
