"""Log lines hold ids, counts and class names; tried in a process of its own, whose every line is read."""

import json
import subprocess
import sys

import pytest

from shared.logging import described

_PROGRAM = """
import logging
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
logging.getLogger("another").warning("a word")
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
    assert (failed["error"], failed["at"]) == ("ValueError", "<string>:12")
    assert lines[2:] == ["WARNING another a word"]


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
