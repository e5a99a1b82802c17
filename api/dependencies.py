"""What the routes ask for, by name: each an alias that FastAPI fills in."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header
from starlette.requests import HTTPConnection, Request

from api import body as bodies
from api.admission import Admission
from api.auth import Authenticator
from api.calls import Calls
from api.cancel import Cancel
from api.census import Census
from api.event_stream import EventStream
from api.json_rules import refuse_nul
from api.metrics import ApiMeter
from api.protocol import Protocol
from api.rates import Rates
from api.relay import Relay
from api.streams import OpenStreams, Seat
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
    rates: Rates
    streams: OpenStreams
    closing: asyncio.Event
    meter: ApiMeter
    census: Census

    def stream(self, run: Run, principal: Principal, chunks: AsyncGenerator[bytes, None]) -> EventStream:
        """The response that carries a run's chunks, for as long as this principal's token lets it."""
        grace, expires_at = self.settings.token_grace, principal.expires_at
        return EventStream(
            run,
            chunks,
            send_timeout=self.settings.send_timeout,
            until=None if expires_at is None else expires_at + grace,
            closing=self.closing,
            meter=self.meter,
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
    for name, value in connection.path_params.items():
        refuse_nul(value, name=name)
    return principal


Caller = Annotated[Principal, Depends(_principal)]
"""Who asks, not yet counted: for a route that counts by itself."""


async def _counted(house: CurrentHouse, caller: Caller) -> Principal:
    """Who asks. Raises TooMany for one who asks too often."""
    await house.rates.request(caller.user_id)
    return caller


CurrentPrincipal = Annotated[Principal, Depends(_counted)]


async def _body(request: Request, house: CurrentHouse) -> dict[str, Any]:
    """The request's JSON object. Raises what `api.body` raises."""
    settings = house.settings
    return bodies.parse(await bodies.read(request, limit=settings.max_body_bytes, patience=settings.body_timeout))


CurrentBody = Annotated[dict[str, Any], Depends(_body)]


async def _seat(house: CurrentHouse, caller: Caller) -> AsyncIterator[Seat]:
    """Given back when the response has been sent whole, which for a stream is its end."""
    with house.streams.seat(caller.user_id) as seat:
        yield seat


CurrentSeat = Annotated[Seat, Depends(_seat)]
