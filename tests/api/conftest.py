"""An API in this process, on the test's own Postgres and Redis: asked over ASGI, without a socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.dependencies import House
from shared.settings import Settings
from tests.house import bearer
from tests.values import settings_of


class Api:
    """One API process's worth of parts."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    @property
    def house(self) -> House:
        """What it is made of."""
        house: House = self.app.state.house
        return house

    def client(self, user: str | None = "ann", **headers: str) -> httpx.AsyncClient:
        """A client of this user's; of nobody's where there is none. Streams are given when they have ended."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        known = bearer(user) if user else {}
        return httpx.AsyncClient(transport=transport, base_url="http://api", headers={**known, **headers})


@asynccontextmanager
async def api_of(settings: Settings) -> AsyncIterator[Api]:
    """An API with these settings, started and stopped."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Api(app)


@pytest.fixture
def api_settings(database_url: str, redis_url: str, tmp_path: Path) -> Callable[..., Settings]:
    """Settings on the test's own servers."""

    def build(**values: Any) -> Settings:
        servers = {"database_url": database_url, "redis_url": redis_url, "attachments_dir": tmp_path}
        return settings_of(**{**servers, **values})

    return build


@pytest.fixture
async def api(api_settings: Callable[..., Settings]) -> AsyncIterator[Api]:
    """An API with the default settings."""
    async with api_of(api_settings()) as opened:
        yield opened
