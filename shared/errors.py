"""Every error a user may be told of, each with its status and its stable name.

Problem                       what goes over the wire as application/problem+json (RFC 9457)
├── BadRequest          400   MalformedBody, UnknownType, BadCursor
├── Unauthorized        401
├── NotFound            404   foreign and unknown alike
├── TooSlow             408
├── Conflict            409   ConversationBusy, ConversationLocked
├── TooLarge            413
├── Invalid             422   IdempotencyMismatch
├── TooMany             429   BudgetSpent
├── HeadTooLarge        431
├── NotOffered          501
├── Unavailable         503
└── TooLate             504

RunError                      what ends an attempt, never shown to a user
├── NotClaimable              someone has the run, or it has ended
└── StaleAttempt              a newer attempt has taken over: write nothing more
"""

from typing import ClassVar


class Problem(Exception):
    """An error that its user may read: `detail` is written for them, never taken from another exception."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, detail: str | None = None, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = headers or {}


class BadRequest(Problem):
    status, type, title = 400, "bad-request", "The request could not be understood."


class MalformedBody(BadRequest):
    type, title = "malformed-body", "The body is not valid JSON."


class UnknownType(BadRequest):
    type, title = "unknown-type", "There is no such request type."


class BadCursor(BadRequest):
    type, title = "bad-cursor", "The cursor is not one of this server's."


class Unauthorized(Problem):
    status, type, title = 401, "unauthorized", "A valid bearer token is needed."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"})


class NotFound(Problem):
    status, type, title = 404, "not-found", "There is nothing here."


class TooSlow(Problem):
    status, type, title = 408, "too-slow", "The request did not arrive in time."

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class Conflict(Problem):
    status, type, title = 409, "conflict", "The request conflicts with the current state."


class ConversationBusy(Conflict):
    """The conversation is already answering: attach to that run, or wait for it."""

    type, title = "conversation-busy", "This conversation is already answering."

    def __init__(self, run_id: str | None = None) -> None:
        super().__init__(headers={"X-Run-Id": run_id} if run_id else None)
        self.run_id = run_id


class ConversationLocked(Conflict):
    type, title = "conversation-locked", "This conversation takes no more messages."


class TooLarge(Problem):
    status, type, title = 413, "too-large", "The request is too large."


class Invalid(Problem):
    status, type, title = 422, "invalid", "A field of the request is not valid."


class IdempotencyMismatch(Invalid):
    type, title = "idempotency-mismatch", "This Idempotency-Key was used with another request."


class TooMany(Problem):
    status, type, title = 429, "too-many", "Too many requests."

    def __init__(self, detail: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class BudgetSpent(TooMany):
    type, title = "budget-spent", "Your budget for today is used up."


class HeadTooLarge(Problem):
    status, type, title = 431, "head-too-large", "The request's headers are too large."

    def __init__(self) -> None:
        super().__init__(headers={"Connection": "close"})


class Unavailable(Problem):
    status, type, title = 503, "unavailable", "The service is not available right now."

    def __init__(self, detail: str | None = None, *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class NotOffered(Problem):
    status, type, title = 501, "not-offered", "This assistant does not offer that."


class TooLate(Problem):
    status, type, title = 504, "too-late", "No answer came in time."


class RunError(Exception):
    """Ends an attempt, not the run."""


class NotClaimable(RunError):
    """Someone else has the run, or it has ended."""


class StaleAttempt(RunError):
    """A newer attempt has taken over."""
