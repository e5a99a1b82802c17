"""What a JSON body may hold: so much of it, so deep, and nothing that no database keeps."""

from typing import Any

import pytest

from api import body, json_rules
from shared.errors import Invalid, MalformedBody, NotFound, TooLarge


def nested(depth: int) -> dict[str, Any]:
    """An object so deep."""
    inner: dict[str, Any] = {}
    for _ in range(depth - 1):
        inner = {"a": inner}
    return inner


def test_text_with_a_nul_is_not_valid_and_an_id_with_one_is_nobodys() -> None:
    for data in (b'{"a":"\\u0000"}', b'{"a":[{"b":"x\\u0000"}]}', b'{"\\u0000":1}'):
        with pytest.raises(Invalid):
            body.parse(data)
    for data in (b'{"params":{"thread_id":"\\u0000"}}', b'{"params":{"item_ids":["a","\\u0000"]}}'):
        with pytest.raises(NotFound):
            body.parse(data)


def test_an_escaped_backslash_is_no_nul() -> None:
    assert body.parse(b'{"a":"\\\\u0000"}') == {"a": "\\u0000"}


def test_a_body_is_at_most_so_deep() -> None:
    json_rules.check(nested(json_rules.MAX_DEPTH))
    with pytest.raises(MalformedBody):
        json_rules.check(nested(json_rules.MAX_DEPTH + 1))


def test_a_body_has_at_most_so_many_values_wherever_they_are() -> None:
    json_rules.check({"a": [0] * (json_rules.MAX_VALUES - 2)})
    for many in ({"a": [0] * json_rules.MAX_VALUES}, {"a": [[[0] * 10]] * json_rules.MAX_VALUES}):
        with pytest.raises(TooLarge):
            json_rules.check(many)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9223372036854775808", "1" + "0" * 400, "-1" + "0" * 5000])
def test_a_number_that_is_out_of_range_is_refused(number: str) -> None:
    for data in (f'{{"a":{number}}}', f'{{"a":[{{"b":{number}}}]}}'):
        with pytest.raises(MalformedBody):
            body.parse(data.encode())


def test_numbers_up_to_the_range_are_let_in() -> None:
    data = b'{"a":[9223372036854775807,-9223372036854775807,1e308,-0,true,null]}'
    assert body.parse(data)["a"] == [2**63 - 1, -(2**63) + 1, 1e308, 0, True, None]


@pytest.mark.parametrize("given", [None, [], "x", 1, nested(9), {"a": "x" * 16_384}])
def test_metadata_is_an_object_neither_deep_nor_large(given: Any) -> None:
    with pytest.raises(Invalid):
        json_rules.metadata({"metadata": given})


def test_metadata_is_given_as_it_is() -> None:
    assert json_rules.metadata({}) == {}
    assert json_rules.metadata({"metadata": nested(8)}) == nested(8)
