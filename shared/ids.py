"""Identifiers of our own: a prefix that says the kind, then 128 bits that sort by time (UUIDv7, RFC 9562)."""

from uuid_utils import uuid7


def new_id(prefix: str) -> str:
    """`run_0197…`: unguessable enough to be unique, never a substitute for an ownership check."""
    return f"{prefix}_{uuid7().hex}"
