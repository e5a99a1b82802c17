"""Real requests made strange: whatever is sent, it is answered or refused, and a refusal leaves nothing behind."""

import json

from hypothesis import given, settings

from api.chatkit import _TYPES
from tests.fuzz.asked import Asked, Bearer
from tests.fuzz.mutations import requests
from tests.fuzz.requests import DOORS, PARAMS
from tests.house import bearer as authorization


def test_every_request_type_of_the_protocol_is_among_them() -> None:
    assert set(PARAMS) == _TYPES


def test_every_request_that_they_begin_with_is_let_in(bearer: Bearer) -> None:
    for door in DOORS:
        bearer.statuses.clear()
        if door.body == {}:
            continue
        body = b"" if door.body is None else json.dumps(door.body).encode()
        answer = bearer.ask(Asked(door.method, door.path, authorization("fuzz"), body))
        assert answer.is_success or answer.status_code in (404, 504), (door, answer.text)


@given(asked=requests())
@settings(settings.get_profile("door"))
def test_no_request_is_more_than_the_api_can_bear(bearer: Bearer, asked: Asked) -> None:
    bearer.ask(asked)
