"""Who is asking."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.identity import Principal

ISSUERS = st.text(alphabet=st.characters(exclude_characters="|"), min_size=1)
"""What the settings let through: see test_settings.py."""


def test_rows_are_owned_by_the_subject() -> None:
    assert Principal("ann").user_id == "ann"
    assert Principal("ann") == Principal("ann")
    assert Principal("ann") != Principal("ann", issuer="elsewhere")


def test_among_several_issuers_rows_are_owned_by_issuer_and_subject() -> None:
    assert Principal("ann", issuer="https://a.example").user_id == "https://a.example|ann"


@settings(deadline=None, database=None)
@given(st.tuples(ISSUERS, st.text(min_size=1)), st.tuples(ISSUERS, st.text(min_size=1)))
@example(("a", "a|b"), ("a", "b"))
@example(("a", "b|c"), ("b", "c"))
def test_no_two_principals_of_several_issuers_are_one_user(one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = (Principal(subject, issuer) for issuer, subject in (one, other))
    assert (first.user_id == second.user_id) is (one == other)


def test_two_tokens_of_one_user_are_the_same_principal() -> None:
    assert Principal("ann", expires_at=1) == Principal("ann", expires_at=2)
