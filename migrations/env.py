"""Alembic's entry: the tables of shared/tables.py against MIGRATIONS_DATABASE_URL, or DATABASE_URL."""

import os

from alembic import context
from sqlalchemy import create_engine
from sqlmodel import SQLModel

import shared.tables  # noqa: F401  (registers the tables)


def database_url() -> str:
    """The URL with the driver's name that SQLAlchemy wants."""
    url = os.environ.get("MIGRATIONS_DATABASE_URL") or os.environ["DATABASE_URL"]
    scheme, rest = url.split("://", 1)
    return f"postgresql+psycopg://{rest}" if scheme in ("postgresql", "postgres") else url


def migrate() -> None:
    """Run the migrations in one transaction, alone: two starting replicas wait for one another."""
    engine = create_engine(database_url(), connect_args={"connect_timeout": 5})
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7263551)")
        context.configure(connection=connection, target_metadata=SQLModel.metadata)
        with context.begin_transaction():
            context.run_migrations()


migrate()
