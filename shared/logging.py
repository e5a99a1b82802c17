"""Structured logs: one line an event, ids and counts and class names, never message text and never a secret."""

import logging
import re
import sys
import traceback
from typing import Any

import structlog
from structlog.typing import EventDict

from shared import tracing
from shared.ids import new_id
from shared.settings import Settings

QUIET = ("arq", "chatkit", "httpx", "httpcore", "LiteLLM", "openai", "openai.agents", "psycopg", "uvicorn.access")
"""Libraries that log arguments, contents or exceptions: what they have to say we say ourselves."""

_CLEAN = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


def configure(settings: Settings, *, process: str) -> None:
    """Send every log line of this process to stdout: JSON for machines, or words for a person at a console."""
    console = settings.log_format == "console"
    renderer = structlog.dev.ConsoleRenderer(colors=False) if console else structlog.processors.JSONRenderer()
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        _with_trace,
    ]
    structlog.configure(
        processors=[*common, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    _configure_others([*common, _discreet], renderer)


def _configure_others(common: list[Any], renderer: Any) -> None:
    """Give what is logged through Python's own `logging`, a team's code included, the same shape and fields."""
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
    # Pydantic's warnings quote the values they are about.
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _with_trace(_: Any, __: str, event: EventDict) -> EventDict:
    if trace_id := tracing.trace_id():
        event["trace"] = trace_id
    return event


def _discreet(_: Any, __: str, event: EventDict) -> EventDict:
    """Who said it, and its first line: asyncio and warnings quote exceptions and values below it."""
    event["logger"] = event["_record"].name
    event["event"] = event["event"].partition("\n")[0]
    event.pop("stack_info", None)
    _, error, _ = event.pop("exc_info", None) or (None, None, None)
    return event if error is None else {**event, **described(error)}


def described(error: BaseException) -> dict[str, str]:
    """What a log line may say of an exception: its class and where it came from, never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{'/'.join(frame.filename.rsplit('/', 2)[-2:])}:{frame.lineno}" for frame in frames[-4:]]
    return {"error": type(error).__name__, "at": " > ".join(places)}


def correlation_of(*offered: str | None) -> str:
    """The first of these that is clean (letters, digits, `.`, `_`, `:`, `-`) and short (64), else a new id."""
    return next((one for one in offered if one and _CLEAN.fullmatch(one)), None) or new_id("req")


def correlation() -> str | None:
    """The correlation id of what this task is about, if it has one."""
    found: str | None = structlog.contextvars.get_contextvars().get("correlation")
    return found
