"""The examples without a model key: their rules answer."""

import pytest


@pytest.fixture(autouse=True)
def without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = {"DATABASE_URL": "postgresql://nowhere", "REDIS_URL": "redis://nowhere"}
    for name, value in {**servers, "MODEL": "scripted"}.items():
        monkeypatch.setenv(name, value)
