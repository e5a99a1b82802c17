"""GET /api/models: what a message may ask for."""

from typing import Any

from fastapi import APIRouter

from api.dependencies import CurrentHouse, CurrentPrincipal

router = APIRouter(prefix="/api")


@router.get("/models")
async def models(house: CurrentHouse, principal: CurrentPrincipal) -> dict[str, Any]:
    """The models and tools for `inference_options`; none are listed where a team's own server decides."""
    choices = house.choices
    return {
        "data": [{"id": model} for model in choices.models or ()],
        "default": choices.default_model,
        "tools": [{"id": tool} for tool in choices.tools or ()],
    }
