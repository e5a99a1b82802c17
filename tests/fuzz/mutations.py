"""How a real request is made a strange one: its JSON, its bytes, its headers, its query, its address."""

import copy
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from tests.fuzz.asked import Asked
from tests.fuzz.requests import DOORS, Door
from tests.house import bearer

TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "a\udfffb",
    "\ufeff",
    "\u202e",
    "\x1e\x1f",
    "\U0010ffff",
    "'; DROP TABLE runs; --",
    "%",
    "\\",
    "{thread}",
    "{foreign}",
    "{message}",
    "threads.explode",
    "x" * 300,
    "y" * 10_240,
    "z" * 120_000,
)
NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63, -(2**63) - 1, 10**9, 10**400, 0.5, -0.0, 1e308, float("inf"), float("nan"))
DEEP = json.loads("[" * 60 + "]" * 60)
TOO_DEEP = json.loads("[" * 80 + "]" * 80)

texts = st.sampled_from(TEXTS) | st.text(max_size=40)
leaves = texts | st.sampled_from(NUMBERS) | st.booleans() | st.none()
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
) | st.sampled_from((DEEP, TOO_DEEP, [0] * 20_000, ["{message}"] * 1_000, {"a": {"b": {"c": []}}})).map(copy.deepcopy)

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
"""What an HTTP server lets through in a header."""
HEADERS: dict[str, st.SearchStrategy[str]] = {
    "Idempotency-Key": st.sampled_from(("k1", "k2", "", "k" * 200, "k" * 201)) | printable,
    "Last-Event-ID": st.sampled_from(("1.1", "1.0", "2.1", "0.1", "1.999999999999", "9" * 40 + ".1", "1.²"))
    | printable,
    "X-Resumable": st.sampled_from(("1", "0")) | printable,
    "Accept-Language": st.sampled_from(("de-DE,de;q=0.9", ",", ";;", "x" * 5_000)) | printable,
    "Content-Length": st.sampled_from(("0", "-1", "1e3", "²", "9" * 30, "9" * 5_000)) | printable,
    "Content-Type": st.sampled_from(
        ("application/json", "text/plain", "application/json; charset=utf-16", "multipart/form-data", "")
    )
    | printable,
    "Authorization": st.sampled_from(("", "Bearer", "Bearer x", "Basic YTpi", "Bearer " + "x" * 9_000)) | printable,
}
QUERY = st.sampled_from(("", "-1", "1e9", "9" * 5_000, "chatkit", "simple", "1.1", "{thread}", "\\", "%", "_", "\x00"))


@st.composite
def strange_json(draw: st.DrawFn, body: dict[str, Any]) -> Any:
    """The body with up to three places changed."""
    changed = copy.deepcopy(body)
    for _ in range(draw(st.integers(0, 3))):
        places = list(islice(_places(changed), 300))
        if not places:
            return changed
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(("replace", "replace", "drop", "add", "repeat", "wrap"))):
            case "replace":
                holder[key] = copy.deepcopy(draw(values))
            case "drop":
                del holder[key]
            case "add" if isinstance(holder, dict):
                holder[draw(texts)] = copy.deepcopy(draw(values))
            case "repeat" if len(json.dumps(changed)) < 5_000:
                holder[key] = [copy.deepcopy(holder[key]) for _ in range(1_000)]
            case _:
                holder[key] = {"a": holder[key]}
    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in it that something else could be put."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


@st.composite
def strange_bytes(draw: st.DrawFn, text: bytes) -> bytes:
    """What is sent of it: mostly itself."""
    match draw(st.integers(0, 29)):
        case 0:
            return text[: draw(st.integers(0, len(text)))]
        case 1:
            place = draw(st.integers(0, len(text)))
            return text[:place] + draw(st.binary(max_size=8)) + text[place:]
        case 2:
            return b"\xef\xbb\xbf" + text
        case 3:
            return text[:-1] + b',"type":"threads.list"}'
        case 4:
            return draw(st.sampled_from((b"", b"[1]", b'"x"', b"null", b"1", b"[" * 20_000, b"x" * 1_500_000)))
        case _:
            return text


@st.composite
def requests(draw: st.DrawFn) -> Asked:
    """One request, more or less strange."""
    door: Door = draw(st.sampled_from(DOORS))
    odd = draw(st.sets(st.sampled_from(sorted(HEADERS)), max_size=2)) if draw(st.integers(0, 2)) == 0 else set()
    headers = {"Content-Type": "application/json", **bearer("fuzz")}
    headers.update({name: draw(HEADERS[name]) for name in sorted(odd)})
    names = draw(st.sets(st.sampled_from(door.query), max_size=3)) if door.query else set()
    query = {name: draw(QUERY | st.text(max_size=20)) for name in sorted(names)}
    path = door.path
    if "{" in path and draw(st.integers(0, 5)) == 0:
        before, _, after = path.partition("{")
        path = before + quote(draw(st.sampled_from(TEXTS[:-1])), safe="{}", errors="replace") + after.partition("}")[2]
    body = b""
    if door.body is not None:
        body = draw(strange_bytes(json.dumps(draw(strange_json(door.body))).encode()))
    address = path + ("?" + urlencode(query, safe="{}", errors="replace") if query else "")
    return Asked(door.method, address, headers, body)
