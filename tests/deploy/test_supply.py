"""What is installed: named to the byte, from no index of its own, never older than asked for; and it calls no one."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.house import ROOT

LOCKS = ["requirements.lock", "requirements-dev.lock", "local/uv.lock"]
MALICIOUS = {("litellm", "1.82.7"), ("litellm", "1.82.8")}

# Whatever is imported, nobody is called and nobody's address is asked for.
HERMIT = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        raise SystemExit(f"{event} {arguments[1:]}")
sys.addaudithook(refuse)
"""
API = "from api.app import create_app"
WORKER = "import worker.main; from worker.model import _load_litellm; _load_litellm()"


def pinned(lock: str) -> set[tuple[str, str]]:
    """Each package and its version; some have two, for different Pythons."""
    text = (ROOT / lock).read_text()
    return set(re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_by_a_hash(lock: str) -> None:
    logical = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    lines = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) == len(pinned(lock)) > 0
    assert [line for line in lines if not re.search(r"==\S+.* --hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"--(?:extra-)?index-url|--find-links|--trusted-host|https?://|@ ", text) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_that_was_malicious_is_installed(lock: str) -> None:
    assert pinned(lock) & MALICIOUS == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_nothing_is_older_than_it_may_be(lock: str) -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    wanted = {one.name: one.specifier for one in map(Requirement, asked)}
    locked = [(name, version) for name, version in pinned(lock) if name in wanted]
    assert {name for name, _ in locked} == wanted.keys()
    assert [one for one in locked if not wanted[one[0]].contains(Version(one[1]), prereleases=True)] == []


def test_what_is_tested_is_what_is_installed() -> None:
    assert pinned("requirements.lock") <= pinned("requirements-dev.lock")


@pytest.mark.parametrize("program", [API, WORKER], ids=["api", "worker"])
def test_importing_a_program_calls_no_one(program: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("LITELLM")}
    done = subprocess.run(
        [sys.executable, "-c", HERMIT + program], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_hermit_would_notice() -> None:
    call = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", HERMIT + call], capture_output=True, text=True, check=False)
    assert "socket.getaddrinfo" in done.stderr
