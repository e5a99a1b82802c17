"""Attachments: uploaded in one step (POST) or in two (PUT to a signed address), shown by signed address."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from api.body import arriving
from api.dependencies import CurrentHouse, CurrentPrincipal, House
from api.file_response import FileResponse
from api.form import FilePart
from shared import attachments
from shared.database import Row
from shared.errors import NotFound

router = APIRouter(prefix="/attachments")

Json = dict[str, Any]


@router.post("")
async def upload_directly(request: Request, house: CurrentHouse, principal: CurrentPrincipal) -> Response:
    """The direct strategy: a form with a `file`; answers with the attachment."""
    part = FilePart(request, patience=house.settings.body_timeout)
    await part.found()
    return JSONResponse(await house.attachments.receive(principal.user_id, part))


@router.put("/{attachment_id}")
async def upload(
    attachment_id: str,
    request: Request,
    house: CurrentHouse,
    expires: int = 0,
    signature: Annotated[str, Query(max_length=100)] = "",
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """The second step of the two-phase strategy: the bare bytes, to the address that `attachments.create` gave."""
    row = await _permitted(house, "PUT", attachment_id, expires, signature, authorization)
    body = arriving(request, patience=house.settings.body_timeout)
    return JSONResponse(await house.attachments.upload(attachment_id, row, body))


@router.get("/{attachment_id}")
async def download(
    attachment_id: str,
    house: CurrentHouse,
    expires: int = 0,
    signature: Annotated[str, Query(max_length=100)] = "",
    authorization: Annotated[str | None, Header()] = None,
) -> Response:
    """The bytes, by a signed address that has not expired, or for their owner."""
    row = await _permitted(house, "GET", attachment_id, expires, signature, authorization)
    if row["uploaded_at"] is None:
        raise NotFound
    chunks = house.attachments.files.read(attachment_id)
    first = await anext(chunks, b"")
    return FileResponse(
        _after(first, chunks),
        size=row["size"],
        name=row["name"],
        mime_type=row["mime_type"],
        send_timeout=house.settings.send_timeout,
    )


async def _permitted(
    house: House, method: str, attachment_id: str, expires: int, signature: str, authorization: str | None
) -> Row:
    """The attachment's row, for whoever has a good address or owns it. Raises NotFound, and Unauthorized."""
    if "\x00" in attachment_id:
        raise NotFound
    if not signature:
        user_id = (await house.authenticator.principal(authorization)).user_id
        await house.rates.request(user_id)
        async with house.database.of(user_id).connection() as connection:
            return await attachments.one(connection, user_id, attachment_id)
    if not house.attachments.rules.urls.allows(method, attachment_id, expires=expires, signature=signature):
        raise NotFound
    async with house.database.across_users.connection() as connection:
        return await attachments.any_one(connection, attachment_id)


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
