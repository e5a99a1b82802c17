"""The request context of the two servers: a plain dict, as the SDK's guides pass one to `server.process()`."""

from typing import Any

from shared.identity import Principal

Context = dict[str, Any]


def build(principal: Principal, locale: str | None, metadata: dict[str, Any]) -> Context:
    """CHATKIT_CONTEXT of the tests."""
    return {"user_id": principal.user_id, "locale": locale, "metadata": metadata}
