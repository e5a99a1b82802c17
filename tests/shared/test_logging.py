"""Log lines hold ids, counts and class names; tried in a process of its own, whose every line is read."""

import json
import subprocess
import sys

import pytest

from shared.logging import correlation_of, described

_PROGRAM = """
import logging
import warnings
import structlog
from shared.logging import QUIET, configure, described
from shared.settings import Settings
servers = dict(database_url="postgresql://nowhere", redis_url="redis://nowhere")
configure(Settings(_env_file=None, log_level="{level}", log_format="{format}", **servers), process="api")
logger = structlog.get_logger()
logger.debug("a detail")
logger.warning("run ended", run="run_1")
try:
    raise ValueError("what a user wrote")
except ValueError as error:
    logger.error("failed", **described(error))
for name in QUIET:
    logging.getLogger(name).error("what a library quotes")
structlog.contextvars.bind_contextvars(correlation="req_1")
logging.getLogger("another").warning("a word")
try:
    raise ValueError("what a user wrote")
except ValueError:
    logging.getLogger("asyncio").exception("never retrieved\\nfuture: ValueError('what a user wrote')")
warnings.warn("unexpected value\\ninput_value='what a user wrote'")
"""


def printed(level: str = "info", form: str = "json") -> list[str]:
    command = [sys.executable, "-c", _PROGRAM.format(level=level, format=form)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_line_is_an_event_as_json_with_its_process_and_no_content() -> None:
    lines = printed()
    ended, failed = (json.loads(line) for line in lines[:2])
    assert (ended["event"], ended["run"], ended["process"], ended["level"]) == ("run ended", "run_1", "api", "warning")
    assert (failed["error"], failed["at"]) == ("ValueError", "<string>:13")
    assert not any("user wrote" in line or "library quotes" in line for line in lines)


def test_what_others_log_has_the_same_shape_and_fields_and_quotes_no_exception_and_no_value() -> None:
    word, failure, warning = (json.loads(line) for line in printed()[2:])
    for line, event, logger in ((word, "a word", "another"), (failure, "never retrieved", "asyncio")):
        assert (line["event"], line["logger"], line["process"]) == (event, logger, "api")
        assert line["correlation"] == "req_1"
    assert (word["level"], failure["level"], failure["error"]) == ("warning", "error", "ValueError")
    assert warning["event"].endswith("UserWarning: unexpected value")


@pytest.mark.parametrize("offered", ["order-4711", "a" * 64, "0197:af.b_c"])
def test_a_clean_and_short_id_is_kept(offered: str) -> None:
    assert correlation_of(None, offered, "another") == offered


@pytest.mark.parametrize("offered", ["", "a b", "a\nb", "a" * 65, "größe", '"}', "%0d%0a"])
def test_any_other_is_replaced(offered: str) -> None:
    made = correlation_of(offered)
    assert made.startswith("req_")
    assert made != correlation_of(offered)


def test_a_person_at_a_console_is_given_words() -> None:
    lines = printed("DEBUG", "console")
    assert "a detail" in lines[0]
    assert "run=run_1" in lines[1]
    assert not any(line.startswith("{") or "user wrote" in line for line in lines)


def test_an_exception_is_described_by_its_class_and_place_alone() -> None:
    with pytest.raises(KeyError) as raised:
        {}["the secret"]
    told = described(raised.value)
    assert told["error"] == "KeyError"
    assert "shared/test_logging.py:" in told["at"]
    assert "secret" not in str(told)
