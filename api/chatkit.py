"""POST /chatkit: answer now, or admit a run and relay it."""

from typing import Annotated, Any, assert_never, get_args

from chatkit.types import (
    AttachmentsCreateReq,
    AttachmentsDeleteReq,
    ChatKitReq,
    ErrorEvent,
    InputTranscribeReq,
    ItemsFeedbackReq,
    NonStreamingReq,
    StreamingReq,
    ThreadsAddClientToolOutputReq,
    ThreadsAddStructuredInputReq,
    ThreadsAddUserMessageReq,
    ThreadsCreateReq,
    ThreadsCustomActionReq,
    ThreadsRetryAfterItemReq,
    ThreadsSyncCustomActionReq,
    UserMessageInput,
    is_streaming_req,
)
from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from api import body as bodies
from api import calls, continuation, json_rules
from api.attach import ACTION, attach
from api.dependencies import Caller, CurrentHouse, CurrentSeat, House
from api.prelude import Prelude, Refused, first_message, next_message
from api.reading import Dialect
from api.simple import SIMPLE_REQUEST
from api.streams import Seat
from api.submission import Submission
from shared.errors import Invalid, TooLarge, UnknownType
from shared.records import START
from shared.wire import to_wire

router = APIRouter()

_REQUEST: TypeAdapter[ChatKitReq] = TypeAdapter(ChatKitReq)
_TYPES = {request.model_fields["type"].default for request in (*get_args(StreamingReq), *get_args(NonStreamingReq))}

MAX_KEY = 200
MAX_ATTACHMENTS = 10


@router.post("/chatkit")
async def chatkit(
    request: Request,
    house: CurrentHouse,
    principal: Caller,
    seat: CurrentSeat,
    idempotency_key: Annotated[str | None, Header()] = None,
    x_resumable: Annotated[str | None, Header()] = None,
    accept_language: Annotated[str | None, Header()] = None,
) -> Response:
    """Both dialects: a body with `type` is the ChatKit protocol, one with `message` the simple dialect."""
    body = await bodies.read(request, limit=house.settings.max_body_bytes, patience=house.settings.body_timeout)
    parsed = bodies.parse(body)
    if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_KEY:
        raise Invalid(f"An Idempotency-Key has 1 to {MAX_KEY} characters.")
    submission = Submission(
        principal=principal,
        body=body,
        idempotency_key=idempotency_key,
        resumable=x_resumable == "1",
        locale=_locale(accept_language),
        metadata=json_rules.metadata(parsed),
    )
    if "type" not in parsed and "message" in parsed:
        return await _simple(house, seat, submission, parsed)
    chatkit_request = _chatkit_request(parsed)
    if isinstance(chatkit_request, ThreadsCustomActionReq) and chatkit_request.params.action.type == ACTION:
        await house.rates.request(principal.user_id)
        return await attach(house, seat, principal, chatkit_request.params)
    if is_streaming_req(chatkit_request):
        return await _stream(house, seat, submission, _prelude(house, chatkit_request), Dialect.CHATKIT)
    if (call := _call(house, chatkit_request)) is not None:
        return JSONResponse(await house.call(submission, call))
    await house.rates.request(principal.user_id)
    return JSONResponse(await house.protocol.answer(principal.user_id, chatkit_request))


async def _simple(house: House, seat: Seat, submission: Submission, parsed: dict[str, Any]) -> Response:
    request = bodies.validate(SIMPLE_REQUEST, parsed)
    message = _checked(house, request.as_input())
    prelude = next_message(request.thread_id, message) if request.thread_id else first_message(message)
    return await _stream(house, seat, submission, prelude, Dialect.SIMPLE)


async def _stream(house: House, seat: Seat, submission: Submission, prelude: Prelude, dialect: Dialect) -> Response:
    seat.take()
    try:
        run = await house.admission.admit(submission, prelude)
    except Refused as refused:
        return refusal(refused.message)
    return house.stream(run, submission.principal, house.relay.follow(run, START, dialect))


def _chatkit_request(parsed: dict[str, Any]) -> ChatKitReq:
    named = parsed.get("type")
    if not isinstance(named, str) or named not in _TYPES:
        raise UnknownType
    return bodies.validate(_REQUEST, parsed)


def _prelude(house: House, request: StreamingReq) -> Prelude:
    match request:
        case ThreadsCreateReq(params=params):
            return first_message(_checked(house, params.input))
        case ThreadsAddUserMessageReq(params=params):
            return next_message(params.thread_id, _checked(house, params.input))
        case ThreadsAddClientToolOutputReq(params=params):
            return continuation.tool_output(params.thread_id, params.result)
        case ThreadsAddStructuredInputReq(params=params):
            return continuation.structured_input(params)
        case ThreadsRetryAfterItemReq(params=params):
            return continuation.retry(params)
        case ThreadsCustomActionReq(params=params):
            return continuation.action(params)
        case _:
            assert_never(request)


def _call(house: House, request: NonStreamingReq) -> Prelude | None:
    """The request as a call of a team's code; None where the API answers by itself."""
    match request:
        case ThreadsSyncCustomActionReq(params=params):
            return calls.sync_action(params)
        case InputTranscribeReq(params=params):
            return calls.transcription(params)
        case ItemsFeedbackReq(params=params):
            return calls.feedback_given(params)
        case AttachmentsCreateReq(params=params) if house.settings.chatkit_server:
            return calls.attachment_created(params)
        case AttachmentsDeleteReq(params=params) if house.settings.chatkit_server:
            return calls.attachment_deleted(params.attachment_id)
        case _:
            return None


def refusal(message: str) -> Response:
    """A stream that says no, and ends: a ChatKit client shows it, and its conversation is as it was."""
    event = to_wire(ErrorEvent(message=message, allow_retry=False))
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return Response(b"data: %s\n\n: end failed\n\n" % event, media_type="text/event-stream", headers=headers)


def _checked(house: House, message: UserMessageInput) -> UserMessageInput:
    """The message, if it says something and not too much."""
    length = sum(len(part.text) for part in message.content)
    if length > house.settings.max_text_length:
        raise TooLarge(f"A message has at most {house.settings.max_text_length} characters.")
    if not any(part.text.strip() for part in message.content) and not message.attachments:
        raise Invalid("The message is empty.")
    if len(message.attachments) > MAX_ATTACHMENTS:
        raise Invalid(f"A message carries at most {MAX_ATTACHMENTS} attachments.")
    options = message.inference_options
    if not house.choices.allow(model=options.model, tool=options.tool_choice.id if options.tool_choice else None):
        raise Invalid("Not valid: inference_options")
    return message


def _locale(accept_language: str | None) -> str | None:
    """The first language of the header, which browsers send in order of preference."""
    first = (accept_language or "").split(",")[0].split(";")[0].strip()
    return first[:35] or None
