"""POST /dev/token: for the local system alone."""

from collections.abc import Callable

import pytest

from shared.settings import Settings
from tests.api.conftest import Api, api_of

pytestmark = pytest.mark.anyio


async def test_a_token_of_the_local_system_is_good(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings(dev_token=True)) as api, api.client(None) as client:
        given = (await client.post("/dev/token", json={"user": " ann "})).json()["token"]
        listed = await client.get("/api/tasks", headers={"Authorization": f"Bearer {given}"})
        assert listed.status_code == 200
        assert (await client.post("/dev/token", json={"user": " "})).status_code == 422


async def test_a_token_lives_no_longer_than_any_may(api_settings: Callable[..., Settings]) -> None:
    async with api_of(api_settings(dev_token=True, auth_max_age=60)) as api, api.client(None) as client:
        given = (await client.post("/dev/token", json={"user": "ann"})).json()["token"]
        assert (await client.get("/api/tasks", headers={"Authorization": f"Bearer {given}"})).status_code == 200


async def test_a_token_is_of_an_issuer_and_for_an_audience_that_are_good_here(
    api_settings: Callable[..., Settings],
) -> None:
    settings = api_settings(dev_token=True, auth_issuer=("https://a", "https://b"), auth_audience=("chat", "shop"))
    async with api_of(settings) as api, api.client(None) as client:
        given = (await client.post("/dev/token", json={"user": "ann"})).json()["token"]
        assert (await client.get("/api/tasks", headers={"Authorization": f"Bearer {given}"})).status_code == 200


async def test_elsewhere_there_is_no_such_door(api: Api) -> None:
    async with api.client(None) as client:
        assert (await client.post("/dev/token", json={"user": "ann"})).status_code in (404, 405)


async def test_without_a_secret_nothing_can_be_signed(api_settings: Callable[..., Settings]) -> None:
    settings = api_settings(dev_token=True, better_auth_secret=None)
    async with api_of(settings) as api, api.client(None) as client:
        assert (await client.post("/dev/token", json={"user": "ann"})).status_code == 404
