""".env.example and the code agree on every name and every default."""

import re

import pytest

from local.settings import ROOT, LocalSettings
from shared.settings import Settings

DOCUMENTED = dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
OF_COMPOSE = {"POSTGRES_PASSWORD"}

READ = {
    name.upper(): field.default for model in (LocalSettings, Settings) for name, field in model.model_fields.items()
}
DEFAULTS = {name: default for name, default in READ.items() if default and isinstance(default, str | int | float)}


def test_every_name_that_is_read_is_documented_and_no_other() -> None:
    assert set(DOCUMENTED) - OF_COMPOSE == set(READ)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_documented_as_it_is(name: str) -> None:
    default = DEFAULTS[name]
    assert type(default)(DOCUMENTED[name]) == default
