"""Who is asking, as the token said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """`user_id` is what every owned row carries: the subject alone, or `issuer|subject` among several."""

    subject: str
    issuer: str | None = None

    @property
    def user_id(self) -> str:
        return self.subject
