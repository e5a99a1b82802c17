"""A submission: who asks for a run, and what of the HTTP request goes on with it."""

import hashlib
from dataclasses import dataclass
from typing import Any

from shared import tracing
from shared.identity import Principal
from shared.logging import correlation


@dataclass(frozen=True)
class Submission:
    """Who submits, and how: what the admission and the run's request keep of the HTTP request."""

    principal: Principal
    body: bytes
    idempotency_key: str | None = None
    resumable: bool = False
    locale: str | None = None
    metadata: dict[str, Any] | None = None

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def kept(self) -> dict[str, Any]:
        """What the run's request carries of it; by the last two its attempts go on in this request's logs and trace."""
        return {
            "subject": self.principal.subject,
            "issuer": self.principal.issuer,
            "resumable": self.resumable,
            "locale": self.locale,
            "metadata": self.metadata or {},
            "correlation": correlation(),
            "traceparent": tracing.traceparent(),
        }
