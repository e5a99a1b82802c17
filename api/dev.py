"""POST /dev/token: a token for anyone who asks. Mounted in the local system alone (DEV_TOKEN=1)."""

import time
from typing import Annotated

import jwt
from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints, TypeAdapter

from api import body as bodies
from api.dependencies import CurrentBody, CurrentHouse
from shared.errors import NotFound

router = APIRouter(prefix="/dev")

TOKEN_SECONDS = 12 * 3600


class TokenRequest(BaseModel):
    """Who one would like to be."""

    user: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


_REQUEST = TypeAdapter(TokenRequest)


@router.post("/token")
async def token(house: CurrentHouse, body: CurrentBody) -> dict[str, str]:
    """A bearer token of this user's, good for twelve hours or AUTH_MAX_AGE."""
    request, settings = bodies.validate(_REQUEST, body), house.settings
    secret = settings.better_auth_secret
    if secret is None:
        raise NotFound
    now = int(time.time())
    lifetime = min(TOKEN_SECONDS, settings.auth_max_age)
    named = {"iss": settings.auth_issuer, "aud": settings.auth_audience}
    claims = {"sub": request.user, "iat": now, "exp": now + lifetime}
    claims |= {name: values[0] for name, values in named.items() if values}
    return {"token": jwt.encode(claims, secret.get_secret_value(), algorithm="HS256")}
