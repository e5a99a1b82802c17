"""What the test model endpoint can be told to say: replies, their bad habits, and their bytes on the wire."""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

PROVIDER_SECRET = "provider-text-that-no-user-may-read"
"""Stands in every error the endpoint gives: a test that finds it anywhere has found a leak."""


@dataclass(frozen=True)
class Call:
    """A tool call; `id=None` is a fresh id, `""` and repeated ids are bad habits to test with."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True)
class Reply:
    """One model response. A token is one delta: a word of text or reasoning, or a third of a tool call.

    Numbers are token counts: `hang_at=3` sends three tokens, then nothing.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    status: int = 200
    finish: str | None = None
    gates: tuple[int, ...] = ()
    hang_at: int | None = None
    keep_alive: bool = False
    cut_at: int | None = None
    break_at: int | None = None
    garble_at: int | None = None
    seconds_per_token: float = 0.0

    def waits_at(self, *tokens: int) -> "Reply":
        """Stops once so many tokens are sent, until `endpoint.release()`."""
        return replace(self, gates=tokens)

    def hangs_at(self, tokens: int, *, keep_alive: bool = False) -> "Reply":
        """Goes silent, with SSE comments every 50 ms if `keep_alive`; 0 is after the headers."""
        return replace(self, hang_at=tokens, keep_alive=keep_alive)

    def ends_at(self, tokens: int) -> "Reply":
        """Ends the body properly, but with neither finish reason nor [DONE] (litellm#32686)."""
        return replace(self, cut_at=tokens)

    def breaks_at(self, tokens: int) -> "Reply":
        """Drops the connection in the middle of the body."""
        return replace(self, break_at=tokens)

    def garbles_at(self, tokens: int) -> "Reply":
        """Sends a chunk that is not JSON."""
        return replace(self, garble_at=tokens)

    def finishes(self, reason: str) -> "Reply":
        return replace(self, finish=reason)

    def paced(self, seconds_per_token: float) -> "Reply":
        return replace(self, seconds_per_token=seconds_per_token)

    def thinking(self, reasoning: str) -> "Reply":
        """With `reasoning_content` deltas first."""
        return replace(self, reasoning=reasoning)

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.calls else "stop")


Scripted = Reply | Call


def Text(text: str) -> Reply:
    """A plain answer, a word per token."""
    return Reply(text=text)


def Calls(*calls: Call) -> Reply:
    """Parallel tool calls, each split over three deltas."""
    return Reply(calls=calls)


def Failure(status: int) -> Reply:
    """An HTTP error, with provider text in its body and a hint to retry at once."""
    return Reply(status=status)


def Hang() -> Reply:
    """Takes the request and never answers, not even with headers."""
    return Reply(status=0)


def as_reply(scripted: Scripted) -> Reply:
    return Reply(calls=(scripted,)) if isinstance(scripted, Call) else scripted


def to_json(scripted: Scripted) -> dict[str, Any]:
    """A reply as the control routes take it."""
    return asdict(as_reply(scripted))


def from_json(reply: dict[str, Any]) -> Reply:
    calls = tuple(Call(**call) for call in reply.get("calls", ()))
    return Reply(**{**reply, "calls": calls, "gates": tuple(reply.get("gates", ()))})


def words(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*|\s+", text)


def deltas(reply: Reply) -> Iterator[dict[str, Any]]:
    """The reply's tokens as chat-completions deltas."""
    for word in words(reply.reasoning):
        yield {"reasoning_content": word}
    for word in words(reply.text):
        yield {"content": word}
    for index, call in enumerate(reply.calls):
        call_id = f"call_{uuid.uuid4().hex[:12]}" if call.id is None else call.id
        head, *rest = _thirds(json.dumps(call.arguments))
        named = {"name": call.name, "arguments": head}
        yield {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": named}]}
        for part in rest:
            yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


def _thirds(text: str) -> list[str]:
    third = max(1, len(text) // 3)
    return [text[:third], text[third : 2 * third], text[2 * third :]]
