"""Structured logs: one line an event, ids and counts and class names, never message text and never a secret."""

import logging
import sys
import traceback

import structlog

from shared.settings import Settings

QUIET = ("arq", "chatkit", "httpx", "httpcore", "LiteLLM", "openai", "openai.agents", "psycopg", "uvicorn.access")
"""Libraries that log arguments, contents or exceptions: what they have to say we say ourselves."""


def configure(settings: Settings, *, process: str) -> None:
    """Send every log line of this process to stdout: JSON for machines, or words for a person at a console."""
    console = settings.log_format == "console"
    renderer = structlog.dev.ConsoleRenderer(colors=False) if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def described(error: BaseException) -> dict[str, str]:
    """What a log line may say of an exception: its class and where it came from, never its text."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{'/'.join(frame.filename.rsplit('/', 2)[-2:])}:{frame.lineno}" for frame in frames[-4:]]
    return {"error": type(error).__name__, "at": " > ".join(places)}
