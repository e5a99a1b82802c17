"""The scripts keep to what a Redis Cluster asks of one: every key is given, and all of a run live together."""

import re

import pytest

from shared import log_scripts

SCRIPTS = {name: text for name, text in vars(log_scripts).items() if name.isupper() and name != "PUBLISH"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_touches_only_keys_that_it_was_given(name: str) -> None:
    keys = re.findall(r"redis\.call\('\w+', ([^,)]+)", SCRIPTS[name])
    assert len(keys) > 0
    assert {key for key in keys if not key.startswith("KEYS[")} <= {"channel"}


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "READ"])
def test_whoever_writes_shows_its_attempt_first(name: str) -> None:
    script = SCRIPTS[name]
    writes = [script.index(word) for word in ("'XADD'", "'HSET'", "'DEL'") if word in script]
    assert script.index("'HMGET', KEYS[1], 'attempt'") < min(writes)
    assert script.index("return") < min(writes)
