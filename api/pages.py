"""The pages at /: static files under a Content-Security-Policy that holds, and what they must know of this system."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from api.dependencies import CurrentHouse
from shared.settings import Settings

router = APIRouter()

DIRECTORY = Path(__file__).parent / "playground"
COMPONENT_PAGE = "component.html"
COMPONENT_ORIGIN = "https://cdn.platform.openai.com"

OPEN_TO_ALL = ("resumable-fetch.js", "resumable-fetch.d.ts")
"""Files that a page of another origin may import."""

HEADERS = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/playground.json")
async def playground(house: CurrentHouse) -> dict[str, Any]:
    """What the pages show and hide by: nothing here is secret."""
    settings = house.settings
    return {
        "dev_token": settings.dev_token and settings.better_auth_secret is not None,
        "domain_key": settings.chatkit_domain_key,
    }


class Pages(StaticFiles):
    """The playground's files. The page of the real component may also load it from where it lives."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(directory=DIRECTORY, html=True)
        public = urlsplit(settings.public_url)
        self._api = f"'self' {public.scheme}://{public.netloc}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        component = path == COMPONENT_PAGE
        policy = component_policy(self._api) if component else page_policy(self._api)
        response.headers.update({**HEADERS, "Content-Security-Policy": policy})
        if path in OPEN_TO_ALL:
            response.headers["Access-Control-Allow-Origin"] = "*"
        return response


def page_policy(api: str) -> str:
    """Our own scripts and styles, our own API and its attachments; nothing inline, nothing from elsewhere."""
    return _policy(
        script_src="'self'",
        style_src="'self'",
        img_src=f"{api} blob: data:",
        connect_src=api,
    )


def component_policy(api: str) -> str:
    """The same, with the component's script, its frame, and what its frame's element may draw."""
    return _policy(
        script_src=f"'self' {COMPONENT_ORIGIN}",
        style_src="'self' 'unsafe-inline'",
        img_src=f"{api} blob: data: {COMPONENT_ORIGIN}",
        connect_src=f"{api} {COMPONENT_ORIGIN}",
        frame_src=COMPONENT_ORIGIN,
    )


def _policy(**sources: str) -> str:
    fixed = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return "; ".join([fixed, *(f"{name.replace('_', '-')} {value}" for name, value in sources.items())])
