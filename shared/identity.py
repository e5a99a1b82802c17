"""Who is asking, as the token said."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Principal:
    """`user_id` is what every owned row carries: the subject alone, or `issuer|subject` among several issuers.

    `issuer` is set where several are configured, and has no `|` in it: so no two principals share a user_id.
    `expires_at` is when the token that said so expires, in seconds since the epoch.
    """

    subject: str
    issuer: str | None = None
    expires_at: float | None = field(default=None, compare=False)

    @property
    def user_id(self) -> str:
        return self.subject if self.issuer is None else f"{self.issuer}|{self.subject}"
