"""POST /chatkit: answer now, or admit a run and relay it."""

from typing import Annotated, Any

from chatkit.types import (
    ChatKitReq,
    StreamingReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    UserMessageInput,
    is_streaming_req,
)
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from api import body as bodies
from api.admission import Submission
from api.dependencies import CurrentHouse, CurrentPrincipal, House
from api.event_stream import EventStream
from api.prelude import Prelude, first_message, next_message
from api.relay import Dialect
from api.simple import SIMPLE_REQUEST
from shared.errors import Invalid, TooLarge, UnknownType
from shared.identity import Principal
from shared.records import START

router = APIRouter()

_REQUEST: TypeAdapter[ChatKitReq] = TypeAdapter(ChatKitReq)
_TYPES = {
    "threads.get_by_id",
    "threads.create",
    "threads.list",
    "threads.add_user_message",
    "threads.update",
    "threads.delete",
    "items.list",
}

MAX_KEY = 200


@router.post("/chatkit")
async def chatkit(
    request: Request,
    house: CurrentHouse,
    principal: CurrentPrincipal,
    idempotency_key: Annotated[str | None, Header()] = None,
    x_resumable: Annotated[str | None, Header()] = None,
    accept_language: Annotated[str | None, Header()] = None,
) -> Response:
    """Both dialects: a body with `type` is the ChatKit protocol, one with `message` the simple dialect."""
    body = await bodies.read(request, limit=house.settings.max_body_bytes)
    parsed = bodies.parse(body)
    if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_KEY:
        raise Invalid(f"An Idempotency-Key has 1 to {MAX_KEY} characters.")
    submission = Submission(
        principal=principal,
        body=body,
        idempotency_key=idempotency_key,
        resumable=x_resumable == "1",
        locale=_locale(accept_language),
        metadata=parsed["metadata"] if isinstance(parsed.get("metadata"), dict) else None,
    )
    if "type" not in parsed and "message" in parsed:
        return await _simple(house, submission, parsed)
    chatkit_request = _chatkit_request(parsed)
    if is_streaming_req(chatkit_request):
        return await _stream(house, submission, _prelude(house, chatkit_request), Dialect.CHATKIT)
    return await _answer(house, principal, chatkit_request)


async def _answer(house: House, principal: Principal, request: Any) -> Response:
    return JSONResponse(await house.protocol.answer(principal.user_id, request))


async def _simple(house: House, submission: Submission, parsed: dict[str, Any]) -> Response:
    request = bodies.validate(SIMPLE_REQUEST, parsed)
    message = _checked(house, request.as_input())
    prelude = next_message(request.thread_id, message) if request.thread_id else first_message(message)
    return await _stream(house, submission, prelude, Dialect.SIMPLE)


async def _stream(house: House, submission: Submission, prelude: Prelude, dialect: Dialect) -> Response:
    run = await house.admission.admit(submission, prelude)
    return EventStream(
        run,
        house.relay.follow(run, START, dialect),
        send_timeout=house.settings.send_timeout,
        closing=house.closing,
    )


def _chatkit_request(parsed: dict[str, Any]) -> ChatKitReq:
    if parsed.get("type") not in _TYPES:
        raise UnknownType
    return bodies.validate(_REQUEST, parsed)


def _prelude(house: House, request: StreamingReq) -> Prelude:
    match request:
        case ThreadsCreateReq(params=params):
            return first_message(_checked(house, params.input))
        case ThreadsAddUserMessageReq(params=params):
            return next_message(params.thread_id, _checked(house, params.input))
        case _:
            raise UnknownType


def _checked(house: House, message: UserMessageInput) -> UserMessageInput:
    """The message, if it says something and not too much."""
    length = sum(len(part.text) for part in message.content)
    if length > house.settings.max_text_length:
        raise TooLarge(f"A message has at most {house.settings.max_text_length} characters.")
    if not any(part.text.strip() for part in message.content) and not message.attachments:
        raise Invalid("The message is empty.")
    return message


def _locale(accept_language: str | None) -> str | None:
    """The first language of the header, which browsers send in order of preference."""
    first = (accept_language or "").split(",")[0].split(";")[0].strip()
    return first[:35] or None
