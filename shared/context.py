"""The run that the current task is carrying out, found without being passed through a team's own code."""

from dataclasses import dataclass, field
from typing import Any

from shared.identity import Principal


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What a `ChatKitServer` is given as its context, unless CHATKIT_CONTEXT builds one of the team's own."""

    principal: Principal
    locale: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def user_id(self) -> str:
        return self.principal.user_id
