"""Texts as models and tools make them, for property tests."""

from hypothesis import strategies as st

_AWKWARD = st.sampled_from('\x00\x1e\x1f\ud800\udfff\U0001f9d1\n\t"\\\x7f\u2028')

anything = st.text(st.characters(exclude_categories=()) | _AWKWARD)
"""Any text that Python can hold: control characters, emoji and lone surrogates too."""

storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
"""Any text that Postgres can hold."""
