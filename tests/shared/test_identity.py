"""Who is asking."""

from shared.identity import Principal


def test_rows_are_owned_by_the_subject() -> None:
    assert Principal("ann").user_id == "ann"
    assert Principal("ann") == Principal("ann")
    assert Principal("ann") != Principal("ann", issuer="elsewhere")
