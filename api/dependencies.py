"""What the routes ask for, by name: each an alias that FastAPI fills in."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from starlette.requests import HTTPConnection

from api.admission import Admission
from api.auth import Authenticator
from api.body import refuse_nul
from api.calls import Calls
from api.cancel import Cancel
from api.event_stream import EventStream
from api.protocol import Protocol
from api.relay import Relay
from api.uploads import Attachments
from shared.choices import Choices
from shared.conversations import Conversations
from shared.database import Database
from shared.identity import Principal
from shared.queue import Queue
from shared.runs import Runs
from shared.settings import Settings
from shared.tables import Run


@dataclass(frozen=True)
class House:
    """Everything an API process is made of; made in the lifespan, kept in `app.state.house`."""

    settings: Settings
    authenticator: Authenticator
    database: Database
    conversations: Conversations
    runs: Runs
    queue: Queue
    cancel: Cancel
    admission: Admission
    protocol: Protocol
    call: Calls
    choices: Choices
    attachments: Attachments
    relay: Relay
    closing: asyncio.Event

    def stream(self, run: Run, principal: Principal, chunks: AsyncGenerator[bytes, None]) -> EventStream:
        """The response that carries a run's chunks, for as long as this principal's token lets it."""
        grace, expires_at = self.settings.token_grace, principal.expires_at
        return EventStream(
            run,
            chunks,
            send_timeout=self.settings.send_timeout,
            until=None if expires_at is None else expires_at + grace,
            closing=self.closing,
        )


def _house(connection: HTTPConnection) -> House:
    house: House = connection.app.state.house
    return house


CurrentHouse = Annotated[House, Depends(_house)]


async def _principal(
    connection: HTTPConnection, house: CurrentHouse, authorization: Annotated[str | None, Header()] = None
) -> Principal:
    """Who asks. Raises what the Authenticator raises; NotFound for an address with a NUL, which no database keeps."""
    principal = await house.authenticator.principal(authorization)
    refuse_nul(connection.path_params)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(_principal)]
