"""The API's whole wiring on one page: lifespan, middleware, routers, errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from api import attachments, chatkit, conversations, dev, health, models, pages, runs
from api.admission import Admission
from api.auth import Authenticator
from api.calls import Calls
from api.cancel import Cancel
from api.census import Census
from api.dependencies import House
from api.gate import Gate
from api.metrics import ApiMeter, Metered
from api.problems import problem_response
from api.protocol import Protocol
from api.published_keys import PublishedKeys
from api.rates import PATIENCE_SECONDS, Rates
from api.relay import Relay
from api.request_log import RequestLog
from api.streams import OpenStreams
from api.uploads import Attachments
from api.watch import Watch
from shared import tracing
from shared.attachments import AttachmentRules
from shared.channels import REDIS_AWAY, Channels
from shared.choices import Choices
from shared.conversations import Conversations
from shared.database import AWAY, Database
from shared.errors import Invalid, NotFound, Problem, Unavailable
from shared.event_log import EventLog
from shared.files import DirectoryFiles
from shared.queue import Queue
from shared.queue import connect as connect_queue
from shared.redis import connect, connect_few
from shared.runs import Runs
from shared.settings import Settings
from shared.standings import Standings

logger = structlog.get_logger()

EXPOSED_HEADERS = ["X-Run-Id", "X-Thread-Id", "X-Request-Id", "Content-Location", "Retry-After"]
RATE_CONNECTIONS = 8

TELEMETRY: TelemetryConfig = {"metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
"""FastAPI's own spans, one a request, wherever shared/tracing.py is on; not its logs, which quote exceptions."""


def create_app(settings: Settings) -> FastAPI:
    """The application. `app.state.closing`, once set, ends every open stream."""
    meter = ApiMeter()
    lifespan = partial(_lifespan, settings=settings, meter=meter)
    app = FastAPI(title="ChatKit runs", lifespan=lifespan, openapi_url=None, telemetry=TELEMETRY)
    app.state.closing = asyncio.Event()
    for room in (chatkit, attachments, models, runs, conversations, health, pages):
        app.include_router(room.router)
    if settings.dev_token:
        app.include_router(dev.router)
    app.mount("/", pages.Pages(settings), name="pages")
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
        )
    app.add_middleware(Metered, meter=meter)
    app.add_exception_handler(Problem, partial(_problem, meter=meter))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for away in (*AWAY, *REDIS_AWAY):
        app.add_exception_handler(away, partial(_away, meter=meter))
    app.add_exception_handler(Exception, _unexpected)
    # Put around the whole stack: `add_middleware` would leave the answer to an unexpected error outside of it.
    app.middleware_stack = RequestLog(app.build_middleware_stack())
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI, *, settings: Settings, meter: ApiMeter) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        stack.callback(tracing.shutdown)
        database = await stack.enter_async_context(Database(settings.database_url, prepare=settings.database_prepare))
        events = connect(settings.events_url, max_connections=100)
        stack.push_async_callback(events.aclose)
        channels = await stack.enter_async_context(Channels(events))
        arq_redis = await connect_queue(settings.redis_url)
        stack.push_async_callback(partial(arq_redis.aclose, close_connection_pool=True))
        url = settings.auth_jwks_url
        keys = await stack.enter_async_context(PublishedKeys(url)) if url else None
        counts = connect_few(settings.redis_url, most=RATE_CONNECTIONS, patience=PATIENCE_SECONDS)
        stack.push_async_callback(partial(counts.aclose, close_connection_pool=True))
        rates = Rates(counts, submits=settings.max_submits_per_minute, requests=settings.max_requests_per_minute)
        log = EventLog(events, channels, tail=settings.log_tail)
        queue, all_runs, all_conversations = Queue(arq_redis), Runs(database), Conversations(database)
        cancel, watch = Cancel(database, log, queue), Watch(Standings(database))
        attachments_kept = Attachments(database, DirectoryFiles(settings.attachments_dir), AttachmentRules.of(settings))
        admission = Admission(
            database,
            log,
            queue,
            cancel,
            Gate(
                database,
                max_queued=settings.max_queued,
                max_active=settings.max_active_runs,
                max_tokens_per_day=settings.max_tokens_per_day,
            ),
            rates,
            deadline=settings.run_deadline,
            at_once=settings.max_running_runs,
            tail=settings.log_tail,
            busy_policy=settings.busy_policy,
        )
        app.state.house = House(
            settings=settings,
            authenticator=Authenticator(settings, keys),
            database=database,
            conversations=all_conversations,
            runs=all_runs,
            queue=queue,
            cancel=cancel,
            admission=admission,
            protocol=Protocol(database, all_conversations, cancel, attachments_kept),
            attachments=attachments_kept,
            choices=Choices.of(settings),
            call=Calls(admission, log, all_runs, watch, timeout=settings.call_timeout),
            relay=Relay(log, watch, database, settings.ping_interval),
            rates=rates,
            streams=OpenStreams(most=settings.max_open_streams),
            closing=app.state.closing,
            meter=meter,
            census=Census(database, queue),
        )
        _show(meter, app.state.house, channels)
        logger.info("api ready", port=settings.port)
        yield
        app.state.closing.set()


def _show(meter: ApiMeter, house: House, channels: Channels) -> None:
    """What a scrape reads from the parts."""
    meter.read_parts(channels, house.relay.log, house.queue)
    meter.read_pools(api=house.database)
    meter.read_runs(house.admission, house.cancel)
    meter.read_census(house.census)


async def _problem(_: Request, error: Exception, *, meter: ApiMeter) -> JSONResponse:
    assert isinstance(error, Problem)
    meter.refused(error.type)
    return problem_response(error)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = sorted({".".join(map(str, one["loc"])) for one in error.errors()})
    return problem_response(Invalid("Not valid: " + ", ".join(fields)[:500]))


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    missing = error.status_code == 404
    body = {
        "type": "not-found" if missing else "http",
        "title": NotFound.title if missing else error.detail,
        "status": error.status_code,
    }
    return JSONResponse(
        body, status_code=error.status_code, headers=error.headers, media_type="application/problem+json"
    )


async def _away(_: Request, error: Exception, *, meter: ApiMeter) -> JSONResponse:
    meter.away(error)
    logger.error("a server is away", error=type(error).__name__)
    return problem_response(Unavailable())


async def _unexpected(_: Request, __: Exception) -> JSONResponse:
    # It is logged by RequestLog, which everything that is raised comes past.
    return problem_response(Problem())
