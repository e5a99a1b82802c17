"""Alembic's entry: the tables of shared/tables.py against MIGRATIONS_DATABASE_URL, or DATABASE_URL.

Where the two name different roles the first owns the tables, and the second, which the processes run as, is
granted their rows: to no owner, superuser or role with BYPASSRLS does row-level security apply without exception.
"""

import os

from alembic import context
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, create_engine, inspect
from sqlmodel import SQLModel

import shared.tables  # noqa: F401  (registers the tables)
from shared.database import psycopg_url


def migrate() -> None:
    """Run the migrations in one transaction, alone: two starting replicas wait for one another."""
    application_url = os.environ.get("DATABASE_URL", "")
    url = psycopg_url(os.environ.get("MIGRATIONS_DATABASE_URL") or application_url)
    engine = create_engine(f"postgresql+psycopg://{url.split('://', 1)[1]}", connect_args={"connect_timeout": 5})
    role = _role(application_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7263551)")
        context.configure(connection=connection, target_metadata=SQLModel.metadata)
        with context.begin_transaction():
            context.run_migrations()
        if role is not None and role != _role(url):
            _grant(connection, role)


def _role(url: str) -> str | None:
    """The role that the URL names."""
    user = conninfo_to_dict(psycopg_url(url)).get("user")
    return str(user) if user else None


def _grant(connection: Connection, role: str) -> None:
    """Let the role read and write rows, those of later tables too; it owns nothing."""
    name, rows = connection.dialect.identifier_preparer.quote(role), "SELECT, INSERT, UPDATE, DELETE"
    schema = inspect(connection).default_schema_name
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
    connection.exec_driver_sql(f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT {rows} ON TABLES TO {name}")
    for table in inspect(connection).get_table_names():
        if table in SQLModel.metadata.tables:
            connection.exec_driver_sql(f"GRANT {rows} ON {table} TO {name}")


migrate()
